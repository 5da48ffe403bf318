import { useSignal } from '@preact/signals';
import type { Json } from '../../page-data.js';
import type { RunRecord } from '../../redlock-data.js';
import { KIND_OF_OUTCOME } from '../model/marks.js';
import { absolute, duration, relative, short } from '../model/words.js';
import { now } from '../state.js';
import { LABELS, Shape } from './shapes.js';

/** How many runs are shown before all of them are asked for. */
const SHOWN_RUNS = 15;

/** The runs on record, the newest first. */
export function RunTable({ records }: { records: readonly Json<RunRecord>[] }) {
  const shown = useSignal(SHOWN_RUNS);
  if (records.length === 0) return <p class="empty">No run on record.</p>;
  const longest = Math.max(...records.map(({ duration: ms }) => ms ?? 0), 1);
  return (
    <>
      <table class="runs">
        <thead>
          <tr>
            {['Outcome', 'Tick', 'Late', 'Duration', 'Instance', 'Trigger'].map((title) => (
              <th key={title} scope="col" class={title === 'Late' ? 'number' : ''}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {records.slice(0, shown.value).map((record) => (
            <Run key={record.runId} record={record} longest={longest} />
          ))}
        </tbody>
      </table>
      {records.length > shown.value && (
        <button onClick={() => (shown.value = records.length)}>Show all {records.length}</button>
      )}
    </>
  );
}

function Run({ record, longest }: { record: Json<RunRecord>; longest: number }) {
  const { outcome, tick, startedAt, duration: ms, instanceId, trigger, error, runId } = record;
  const kind = KIND_OF_OUTCOME[outcome];
  const begin = Date.parse(startedAt);
  const at = tick === null ? begin : Date.parse(tick);
  return (
    <>
      <tr title={`Run ${runId}`} class={error ? 'has-error' : ''}>
        <td>
          <span class="line">
            <Shape kind={kind} />
            {LABELS[kind]}
          </span>
        </td>
        <td>
          <span title={absolute(at)}>{short(at)}</span> <small>{relative(at, now.value)}</small>
        </td>
        <td class="number">{tick === null ? '–' : duration(Math.max(0, begin - at))}</td>
        <td>
          {ms === null ? (
            <span class="muted">unknown</span>
          ) : (
            <span class="measure">
              <span class="number">{duration(ms)}</span>
              <i class={kind} style={{ width: `${Math.max(1, (ms / longest) * 100)}px` }} />
            </span>
          )}
        </td>
        <td>{instanceId}</td>
        <td>{trigger}</td>
      </tr>
      {error && (
        <tr class="error">
          <td colSpan={6}>{error}</td>
        </tr>
      )}
    </>
  );
}
