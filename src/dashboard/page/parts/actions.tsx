import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { ActionOutcome } from '../../page-data.js';
import type { JobRow } from '../model/job-row.js';
import { type Action, perform, RefusedError } from '../server-api.js';
import { poll } from '../state.js';

const PAUSES = [
  ['15 minutes', '15m'],
  ['1 hour', '1h'],
  ['2 hours', '2h'],
  ['8 hours', '8h'],
  ['1 day', '1d'],
  ['7 days', '7d'],
  ['until it is resumed', ''],
] as const;

const TITLES = { pause: 'Pause', resume: 'Resume', trigger: 'Run now' };
const EFFECTS = {
  pause: 'While it is paused, no instance runs its ticks. A run in progress goes on.',
  resume:
    'The instances run its ticks again, from the next one on. With the option "missed", the latest tick that was ' +
    'missed is run at once.',
  trigger:
    'The instance that answers runs the job now, in addition to its schedule. If another run is in progress, nothing ' +
    'is run, unless the option "overlap" is "allow".',
};

const IS_IT_PAUSED = 'Check whether this page shows the job as paused.';
/** What shows whether an action was done. */
const TRACES = {
  pause: IS_IT_PAUSED,
  resume: IS_IT_PAUSED,
  trigger: 'Look for the run on this page before you try again.',
};

interface Said {
  readonly text: string;
  readonly isBad: boolean;
}

/** The buttons of one job. Each asks before it acts, and then says what came of it. */
export function Actions({ row: { name, job }, onDone }: { row: JobRow; onDone: () => void }) {
  const asked = useSignal<Action | undefined>(undefined);
  const said = useSignal<Said | undefined>(undefined);
  const act = async (action: Action, body: object): Promise<void> => {
    asked.value = undefined;
    said.value = { text: `${TITLES[action]} …`, isBad: false };
    said.value = await outcomeOf(action, { name, ...body });
    onDone();
    void poll();
  };
  const chosen = asked.value;
  const offered: Action[] = [
    job.status?.paused ? 'resume' : 'pause',
    ...(job.isDeclared ? (['trigger'] as const) : []),
  ];
  return (
    <div class="actions">
      {offered.map((action) => (
        <button key={action} onClick={() => (asked.value = action)}>
          {TITLES[action]} …
        </button>
      ))}
      {chosen && (
        <Confirmation
          key={chosen}
          action={chosen}
          name={name}
          onConfirm={(body) => void act(chosen, body)}
          onCancel={() => (asked.value = undefined)}
        />
      )}
      <p role="status" class={`said ${said.value?.isBad ? 'bad' : ''}`}>
        {said.value?.text}
      </p>
    </div>
  );
}

interface ConfirmationProps {
  readonly action: Action;
  readonly name: string;
  readonly onConfirm: (body: object) => void;
  readonly onCancel: () => void;
}

function Confirmation({ action, name, onConfirm, onCancel }: ConfirmationProps) {
  const form = useRef<HTMLFormElement>(null);
  const confirm = (event: Event): void => {
    event.preventDefault();
    const values = new FormData(form.current ?? undefined);
    onConfirm(Object.fromEntries([...values].filter(([, value]) => value !== '')));
  };
  return (
    <dialog ref={showModally} aria-labelledby="confirmation" onClose={onCancel}>
      <form ref={form} onSubmit={confirm}>
        <h2 id="confirmation">
          {TITLES[action]}: <span class="name">{name}</span>
        </h2>
        <p>{EFFECTS[action]}</p>
        {action === 'pause' && (
          <>
            <label>
              Duration
              <select name="for">
                {PAUSES.map(([words, value]) => (
                  <option key={value} value={value} selected={value === '1h'}>
                    {words}
                  </option>
                ))}
              </select>
            </label>
            <label>
              Reason (optional)
              <input name="note" maxLength={200} placeholder="migration 42" autoComplete="off" />
            </label>
          </>
        )}
        <div class="buttons">
          <button type="button" onClick={onCancel}>
            Cancel
          </button>
          <button type="submit" class="primary">
            {TITLES[action]}
          </button>
        </div>
      </form>
    </dialog>
  );
}

function showModally(dialog: HTMLDialogElement | null): void {
  if (dialog && !dialog.open) dialog.showModal();
}

async function outcomeOf(action: Action, body: object): Promise<Said> {
  try {
    return inWords(await perform(action, body));
  } catch (error) {
    const { message } = error as Error;
    const isRefused = error instanceof RefusedError && !error.mayBeDone;
    const what = isRefused ? 'not done.' : `it is not known whether this was done. ${TRACES[action]}`;
    return { text: `${TITLES[action]}: ${what} ${message}`, isBad: true };
  }
}

function inWords({ outcome, reason }: ActionOutcome): Said {
  switch (outcome) {
    case 'paused':
      return { text: 'Paused on the whole fleet.', isBad: false };
    case 'resumed':
      return { text: 'Resumed on the whole fleet.', isBad: false };
    case 'finished':
      return { text: 'It ran, and finished.', isBad: false };
    case 'running':
      return { text: 'It is still running.', isBad: false };
    case 'waiting':
      return { text: 'It has not begun yet. Look for the run on this page.', isBad: false };
    case 'skipped':
      return { text: `It did not run: ${reason}.`, isBad: true };
    case 'failed':
      return { text: `It ran, and failed: ${reason}`, isBad: true };
  }
}
