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

/** The keys of the job `name`, which may be any string. */
export function jobKeys(keyPrefix: string, name: string): JobKeys {
  const plain = `${keyPrefix}_${name}`;
  const taggable = hasHashTag(plain) || !plain.includes('}');
  const stem = hasHashTag(plain) ? plain : `{${taggable ? plain : escapeBraces(plain)}}`;
  return {
    // A stray brace fits in no hash tag. Such a job gets a lock key of its own kind: one slot matters more.
    lock: taggable ? plain : `${stem}:lock`,
    last: `${stem}:last`,
    every: `${stem}:every`,
    late: (at) => `${stem}:late:${at}`,
    tick: (at) => `${stem}:tick:${at}`,
    run: (id) => `${stem}:run:${id}`,
  };
}

/** Whether a Cluster hashes a part of this key: what stands between the first `{` and the next `}`, if anything does. */
function hasHashTag(key: string): boolean {
  const open = key.indexOf('{');
  return open >= 0 && key.indexOf('}', open) > open + 1;
}

function escapeBraces(text: string): string {
  return text.replace(/[%{}]/g, encodeURIComponent);
}
