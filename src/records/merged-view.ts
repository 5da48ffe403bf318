import { contentOf, type TokenContent } from '../acquire/token.js';
import type { JobView, Pause } from '../nodes/job-view.js';
import { isInForce, newestOf } from '../nodes/pause-order.js';
import { decodeRecord, diedWith, type RunRecord } from './run-record.js';

/** What the nodes together know about a job. */
export interface MergedView {
  /** The newest settled tick, in milliseconds since the epoch. */
  readonly last: number | undefined;
  /** The run in progress. */
  readonly running: TokenContent | undefined;
  /** The pause, or end of a pause, that a majority of the nodes follows; the newest if they have not decided. */
  readonly pause: Pause | undefined;
  /** The records, newest first, and the runs that have died since. */
  readonly records: readonly RunRecord[];
}

/**
 * Merges what the nodes that have answered say. Each node has the records of the runs whose settle has reached it, and
 * of dead runs that a later claim has found there.
 *
 * @param nodes How many nodes there are, including those that have not answered.
 * @param now In milliseconds since the epoch.
 */
export function mergedView(views: readonly JobView[], nodes: number, now: number): MergedView {
  const held = new Map<string, number>();
  let last: number | undefined;
  for (const view of views) {
    if (view.holder !== undefined) held.set(view.holder, (held.get(view.holder) ?? 0) + 1);
    if (view.last !== undefined) last = Math.max(last ?? view.last, view.last);
  }
  const holder = [...held].find(([, count]) => 2 * count > views.length)?.[0];
  return {
    last,
    running: holder === undefined ? undefined : contentOf(holder),
    pause: mergedPause(views, nodes, now),
    records: mergedRecords(views, nodes, held),
  };
}

function mergedPause(views: readonly JobView[], nodes: number, now: number): Pause | undefined {
  const known = views.map(({ pause }) => pause);
  const paused = known.filter((pause) => isInForce(pause, now));
  const others = known.filter((pause) => !isInForce(pause, now));
  // A write that failed may have reached a minority, and claims do not follow a minority.
  const decided = [paused, others].find(({ length }) => 2 * length > nodes);
  return newestOf(decided ?? known);
}

function mergedRecords(
  views: readonly JobView[],
  nodes: number,
  held: ReadonlyMap<string, unknown>,
): RunRecord[] {
  const known = views.map(({ records }) =>
    records.map(decodeRecord).filter((record) => record !== undefined),
  );
  const records = new Map<string, RunRecord>();
  const add = (record: RunRecord): void => {
    // A run that one node has on record as died may have been settled on another node, whose record counts.
    if ((records.get(record.runId)?.outcome ?? 'died') === 'died') records.set(record.runId, record);
  };
  known.flat().forEach(add);
  // A node that has missed some runs still knows older ones, which the others have forgotten: runs older than `oldest`
  // are left out.
  const kept = Math.max(...known.map(({ length }) => length));
  const oldest = newestFirst(records).slice(0, kept).at(-1)?.startedAt.getTime() ?? 0;
  views.forEach(({ begun }, index) => {
    const died = begun === undefined || held.has(begun) ? undefined : diedWith(begun);
    if (!died) return;
    known[index]?.push(died);
    add(died);
  });
  // A minority may have granted a claim that never became a run, and may never have received its release.
  const mayHaveRun = (record: RunRecord): boolean => {
    const deny = known.filter((others) => denies(others, record)).length;
    return 2 * (nodes - deny) > nodes;
  };
  return newestFirst(records).filter(
    (record) => record.startedAt.getTime() >= oldest && (record.outcome !== 'died' || mayHaveRun(record)),
  );
}

/** Whether a node's records show that it did not grant the claim of a run: they reach back far enough, and lack it. */
function denies(records: readonly RunRecord[], { runId, startedAt }: RunRecord): boolean {
  return (
    !records.some((known) => known.runId === runId) && records.some((known) => known.startedAt <= startedAt)
  );
}

function newestFirst(records: ReadonlyMap<string, RunRecord>): RunRecord[] {
  return [...records.values()].toSorted((a, b) => b.startedAt.getTime() - a.startedAt.getTime());
}
