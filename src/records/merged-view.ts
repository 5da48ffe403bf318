import { contentOf, type TokenContent } from '../acquire/token.js';
import type { JobView, Pause } from '../nodes/job-view.js';
import { isNewer } from '../nodes/pause-order.js';
import { decodeRecord, diedWith, type StoredRecord } from './run-record.js';

/** What the nodes together know about a job. */
export interface MergedView {
  /** The newest settled tick, in milliseconds since the epoch. */
  readonly last: number | undefined;
  /** The run in progress. */
  readonly running: TokenContent | undefined;
  /** The newest pause, or end of a pause. */
  readonly pause: Pause | undefined;
  /** The records, newest first, and the runs that have died since. */
  readonly records: readonly StoredRecord[];
}

/**
 * Merges what those nodes say that have answered. Every node has the records of the runs that it has voted on, or was
 * told of.
 */
export function mergedView(views: readonly JobView[]): MergedView {
  const held = new Map<string, number>();
  const records = new Map<string, StoredRecord>();
  const add = (record: StoredRecord | undefined): void => {
    // A run that died on the records of one node may have been settled on another one.
    if (record && (records.get(record.runId)?.outcome ?? 'died') === 'died')
      records.set(record.runId, record);
  };
  let last: number | undefined;
  let pause: Pause | undefined;
  for (const view of views) {
    if (view.holder !== undefined) held.set(view.holder, (held.get(view.holder) ?? 0) + 1);
    if (view.last !== undefined) last = Math.max(last ?? view.last, view.last);
    if (view.pause && (!pause || isNewer(view.pause, pause))) pause = view.pause;
    view.records.map(decodeRecord).forEach(add);
  }
  // A node that has missed some runs still knows older ones, which the others have forgotten.
  const kept = Math.max(...views.map((view) => view.records.length));
  const newest = newestFirst(records).slice(0, kept);
  const oldest = newest.at(-1)?.startedAt.getTime() ?? 0;
  for (const { begun } of views) if (begun !== undefined && !held.has(begun)) add(diedWith(begun));
  const holder = [...held].find(([, count]) => 2 * count > views.length)?.[0];
  return {
    last,
    running: holder === undefined ? undefined : contentOf(holder),
    pause,
    records: newestFirst(records).filter(({ startedAt }) => startedAt.getTime() >= oldest),
  };
}

function newestFirst(records: ReadonlyMap<string, StoredRecord>): StoredRecord[] {
  return [...records.values()].toSorted((a, b) => b.startedAt.getTime() - a.startedAt.getTime());
}
