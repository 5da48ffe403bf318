// One shape and one colour for each outcome, for the canvas and for the page.
import { KINDS, type MarkKind } from '../model/marks.js';

/** Paths in a square of 12 by 12. The shapes differ in form, size or filling, too, not only in colour. */
export const SHAPES: Readonly<Record<MarkKind, { readonly path: string; readonly isFilled: boolean }>> = {
  ran: { path: 'M6 1.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9z', isFilled: true },
  failed: {
    path: 'M2.6 1.2L6 4.6L9.4 1.2L10.8 2.6L7.4 6L10.8 9.4L9.4 10.8L6 7.4L2.6 10.8L1.2 9.4L4.6 6L1.2 2.6z',
    isFilled: true,
  },
  aborted: { path: 'M6 .8L11.2 6L6 11.2L.8 6z', isFilled: true },
  died: { path: 'M1.5 1.5h9v9h-9zM5 3v6h2V3z', isFilled: true },
  running: { path: 'M2.5 1.2L10.5 6L2.5 10.8z', isFilled: true },
  missed: { path: 'M6 2a4 4 0 1 0 0 8a4 4 0 1 0 0-8z', isFilled: false },
  overlap: { path: 'M1 3.5h10M1 8.5h10', isFilled: false },
  paused: { path: 'M2.5 1.5h2.5v9h-2.5zM7 1.5h2.5v9H7z', isFilled: true },
  due: { path: 'M6 4.2a1.8 1.8 0 1 0 0 3.6a1.8 1.8 0 1 0 0-3.6z', isFilled: true },
};

export const LABELS: Readonly<Record<MarkKind, string>> = {
  ran: 'Ran',
  failed: 'Failed',
  aborted: 'Aborted',
  died: 'Died',
  running: 'Running',
  missed: 'Missed',
  overlap: 'Skipped: overlap',
  paused: 'Skipped: paused',
  due: 'Due',
};

/** What each means, for the legend. */
const MEANINGS: Readonly<Record<MarkKind, string>> = {
  ran: 'One instance ran it',
  failed: 'The job threw an error',
  aborted: 'Its signal aborted: the lock was lost, it took too long, or the application shut down',
  died: 'It began, and its instance was gone before it ended',
  running: 'In progress',
  missed: 'No run of it is known',
  overlap: 'An earlier run was still in progress',
  paused: 'The job was paused',
  due: 'Yet to come',
};

export function Shape({ kind, isNamed = false }: { kind: MarkKind; isNamed?: boolean }) {
  const { path, isFilled } = SHAPES[kind];
  return (
    <svg
      class={`shape ${kind}`}
      viewBox="0 0 12 12"
      {...(isNamed ? { role: 'img', 'aria-label': LABELS[kind] } : { 'aria-hidden': true })}
    >
      <path d={path} fill-rule="evenodd" class={isFilled ? 'filled' : 'outlined'} />
    </svg>
  );
}

export function Legend() {
  return (
    <ul class="legend" aria-label="Legend">
      {KINDS.map((kind) => (
        <li key={kind} title={MEANINGS[kind]}>
          <Shape kind={kind} />
          {LABELS[kind]}
        </li>
      ))}
    </ul>
  );
}
