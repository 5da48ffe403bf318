/** The keys of one job in Redis, all of them in one Cluster slot. */
export interface JobKeys {
  /** The lock: byte for byte the key of the usual recipe, `JOB_LOCKER_report`. */
  readonly lock: string;
  /** The newest settled tick. */
  readonly last: string;
  /** The marker of `every` and of `@Interval`. */
  readonly every: string;
  /** Counts those who came too late for a tick, or for an interval. */
  late(at: number | 'every'): string;
  /** The marker of one tick, by its nominal time in milliseconds since the epoch. */
  tick(at: number): string;
  /** The lock of one run among several that may overlap. */
  run(id: string): string;
}

/** The keys of the job `name`, which may be any string. No two jobs share one. */
export function jobKeys(keyPrefix: string, name: string): JobKeys {
  const plain = `${keyPrefix}_${name}`;
  const { lock, other } = family(plain);
  return {
    lock,
    last: other('last'),
    every: other('every'),
    late: (at) => other(`late:${at}`),
    tick: (at) => other(`tick:${at}`),
    run: (id) => other(`run:${id}`),
  };
}

/** The key of the lock, and the way to a key of another kind in the same slot. */
function family(plain: string): { lock: string; other: (kind: string) => string } {
  // The kind comes first: behind, it could be the end of the name of another job.
  if (hasHashTag(plain)) return { lock: plain, other: (kind) => `${kind}:${plain}` };
  if (!plain.includes('}')) return { lock: plain, other: (kind) => `{${plain}}:${kind}` };
  // A stray brace fits in no hash tag. Such a job gets a lock key of its own kind: one slot matters more.
  const other = (kind: string): string => `{${escapeBraces(plain)}}:escaped:${kind}`;
  return { lock: other('lock'), other };
}

/** Whether a Cluster hashes a part of this key: what stands between the first `{` and the next `}`, if anything does. */
function hasHashTag(key: string): boolean {
  const open = key.indexOf('{');
  return open >= 0 && key.indexOf('}', open) > open + 1;
}

function escapeBraces(text: string): string {
  return text.replace(/[%{}]/g, encodeURIComponent);
}
