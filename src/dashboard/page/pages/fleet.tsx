import type { Json, ShownInstance } from '../../page-data.js';
import type { NodeHealth } from '../../redlock-data.js';
import { duration } from '../model/words.js';
import { Scrolled } from '../parts/scrolled.js';
import { Relative } from '../parts/time.js';
import { useAnswer } from '../parts/use-answer.js';
import { fetchFleet } from '../server-api.js';
import { jobUrl, now, rowList } from '../state.js';

export function FleetPage() {
  const { answer, error } = useAnswer(fetchFleet, 'fleet');
  if (!answer)
    return (
      <main>
        <p class="empty">{error ? error.message : 'Loading …'}</p>
      </main>
    );
  const { fleet, health, drift } = answer;
  const reports = answer.reports.filter(({ kind, name }) =>
    drift.every((present) => present.kind !== kind || present.name !== name),
  );
  return (
    <main>
      <h1>Fleet</h1>
      {error && <p class="empty">Not up to date: {error.message}</p>}
      <section aria-labelledby="nodes">
        <h2 id="nodes">
          Nodes{' '}
          <span class={`badge ${health.quorum ? 'good' : 'bad'}`}>
            {health.quorum ? 'quorum' : 'no quorum'}
          </span>
        </h2>
        <Nodes nodes={health.nodes} />
      </section>
      <section aria-labelledby="instances">
        <h2 id="instances">Instances ({fleet.length})</h2>
        <Instances fleet={fleet} />
      </section>
      <section aria-labelledby="drift">
        <h2 id="drift">Drift</h2>
        {drift.length + reports.length === 0 ? (
          <p class="empty">All instances agree on their jobs and on the nodes.</p>
        ) : (
          <ul class="drift">
            {drift.map(({ message, isLasting }) => (
              <li key={message}>
                {message}
                {!isLasting && (
                  <small> perhaps an update in progress: not all have been up for ten minutes</small>
                )}
              </li>
            ))}
            {reports.map(({ at, message }) => (
              <li key={`${at} ${message}`}>
                {message}{' '}
                <small>
                  reported <Relative at={at} />
                </small>
              </li>
            ))}
          </ul>
        )}
      </section>
    </main>
  );
}

function Nodes({ nodes }: { nodes: readonly Json<NodeHealth>[] }) {
  return (
    <Scrolled labelledBy="nodes">
      <table>
        <thead>
          <tr>
            <th scope="col">Node</th>
            <th scope="col">Votes</th>
            <th scope="col">Since</th>
            <th scope="col" class="number">
              Latency
            </th>
            <th scope="col" class="number">
              Clock
            </th>
            <th scope="col">Trouble</th>
          </tr>
        </thead>
        <tbody>
          {nodes.map(({ address, votes, since, latency, clockOffset, trouble }) => (
            <tr key={address}>
              <td>
                <code>{address}</code>
              </td>
              <td>
                <span class={`badge ${votes ? 'good' : 'bad'}`}>{votes ? 'votes' : 'does not vote'}</span>
              </td>
              <td>
                <Relative at={Date.parse(since)} />
              </td>
              <td class="number">{latency === null ? '–' : `${latency.toFixed(1)} ms`}</td>
              <td class="number">{offset(clockOffset)}</td>
              <td class="wide">{trouble ?? <span class="muted">none</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolled>
  );
}

function Instances({ fleet }: { fleet: readonly Json<ShownInstance>[] }) {
  if (fleet.length === 0) return <p class="empty">No instance has registered yet.</p>;
  return (
    <Scrolled labelledBy="instances">
      <table>
        <thead>
          <tr>
            <th scope="col">Instance</th>
            <th scope="col">Version</th>
            <th scope="col">Up for</th>
            <th scope="col" class="number">
              Clock
            </th>
            <th scope="col" class="number">
              Jobs
            </th>
            <th scope="col">Runs now</th>
          </tr>
        </thead>
        <tbody>
          {fleet.map(({ instanceId, host, pid, version, startedAt, clockOffset, jobs }) => {
            return (
              <tr key={`${instanceId} ${pid} ${startedAt}`}>
                <td title={`${host}, process ${pid}`}>{instanceId}</td>
                <td>{version}</td>
                <td>{duration(Math.max(0, now.value - Date.parse(startedAt)))}</td>
                <td class="number">{offset(clockOffset && -clockOffset)}</td>
                <td class="number">{jobs}</td>
                <td class="wide">
                  <RunningJobs instanceId={instanceId} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scrolled>
  );
}

/** The jobs that an instance runs at this moment. */
function RunningJobs({ instanceId }: { instanceId: string }) {
  const running = rowList.value.filter(({ job }) => job.status?.running?.instanceId === instanceId);
  if (running.length === 0) return <span class="muted">nothing</span>;
  return (
    <>
      {running.slice(0, 5).map(({ name }) => (
        <a key={name} class="running-job" href={jobUrl(name)}>
          {name}
        </a>
      ))}
      {running.length > 5 && `and ${running.length - 5} more`}
    </>
  );
}

function offset(ms: number | null): string {
  if (ms === null) return '–';
  return `${ms > 0 ? '+' : ''}${Math.round(ms)} ms`;
}
