import type { Declaration, Json } from '../../page-data.js';
import type { ScheduleInfo } from '../../redlock-data.js';
import { absolute, due, duration, inZone } from '../model/words.js';
import { now } from '../state.js';

/** The options that are durations, in milliseconds. */
const DURATIONS = ['ttl', 'every', 'maxRuntime', 'overdueAfter', 'spread'];

interface PreviewProps {
  readonly ticks: readonly number[];
  readonly info: Json<ScheduleInfo>;
}

export function Preview({ ticks, info }: PreviewProps) {
  if (ticks.length === 0) return <p class="empty">The instance that answered knows of none.</p>;
  const zone = info.kind === 'cron' ? info.timeZone : null;
  let before: string | undefined;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{zone ?? 'Your time'}</th>
          {zone !== 'UTC' && <th scope="col">UTC</th>}
          <th scope="col">From now</th>
        </tr>
      </thead>
      <tbody>
        {ticks.map((tick) => {
          const { time, offset } = inZone(tick, zone);
          const isChange = before !== undefined && before !== offset;
          before = offset;
          return (
            <tr key={tick}>
              <td title={absolute(tick)}>
                {time}
                {isChange && <span class="badge">clocks changed: {offset}</span>}
              </td>
              {zone !== 'UTC' && <td class="muted">{new Date(tick).toISOString().slice(11, 19)}</td>}
              <td>{due(tick, now.value)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

export function OptionTable({ options }: { options: Readonly<Record<string, unknown>> | null }) {
  if (!options) return <p class="empty">The instance that answered does not declare this job.</p>;
  return (
    <table>
      <tbody>
        {Object.entries(options).map(([option, value]) => (
          <tr key={option}>
            <th scope="row">
              <code>{option}</code>
            </th>
            <td>{shown(option, value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function shown(option: string, value: unknown) {
  if (value === null && option === 'overdueAfter') return 'two periods, at least 5 min';
  if (value === null || value === undefined) return <span class="muted">not set</span>;
  if (typeof value === 'number' && option === 'missed') return `within ${duration(value)}`;
  if (typeof value === 'number' && DURATIONS.includes(option)) return duration(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function Declarations({ declarations }: { declarations: readonly Declaration[] }) {
  if (declarations.length === 0) return <p class="empty">No instance declares it.</p>;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Instance</th>
          <th scope="col">Version</th>
          <th scope="col">Declared as</th>
          <th scope="col">Fingerprint</th>
        </tr>
      </thead>
      <tbody>
        {declarations.map(({ instanceId, version, declaredAs, fingerprint, differs }, index) => (
          <tr key={index} class={differs === 'lasting' ? 'odd' : ''}>
            <td>
              {instanceId} {differs === 'lasting' && <span class="badge bad">drift</span>}
              {differs === 'now' && <span class="badge">differs</span>}
            </td>
            <td>{version}</td>
            <td>
              <code>{declaredAs}</code>
            </td>
            <td>
              <code>{fingerprint.slice(0, 12)}</code>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
