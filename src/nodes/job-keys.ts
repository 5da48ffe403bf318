/** The keys of one job in Redis, all of them in one Cluster slot. */
export class JobKeys {
  /** The lock: byte for byte the key of the usual recipe, `JOB_LOCKER_report`. */
  readonly lock: string;
  /** What stands before and behind the kind of any other key. */
  private readonly before: string;
  private readonly behind: string;

  /** The keys of the job `name`, which may be any string. No two jobs share one. */
  constructor(keyPrefix: string, name: string) {
    const plain = `${keyPrefix}_${name}`;
    this.lock = plain;
    this.before = `{${plain}}:`;
    this.behind = '';
    if (!plain.includes('}')) return;
    if (hasHashTag(plain)) {
      // The kind comes first: behind, it could be the end of the name of another job.
      this.before = '';
      this.behind = `:${plain}`;
    } else {
      // A stray brace fits in no hash tag. Such a job gets a lock key of its own kind: one slot matters more.
      this.before = `{${escapeBraces(plain)}}:escaped:`;
      this.lock = this.other('lock');
    }
  }

  /** The newest settled tick. */
  get last(): string {
    return this.other('last');
  }

  /** The marker of `every` and of `@Interval`. */
  get every(): string {
    return this.other('every');
  }

  /** Counts those who came too late for a tick, or for an interval. */
  late(at: number | 'every'): string {
    return this.other(`late:${at}`);
  }

  /** The marker of one tick, by its nominal time in milliseconds since the epoch. */
  tick(at: number): string {
    return this.other(`tick:${at}`);
  }

  /** The lock of one run among several that may overlap. */
  run(id: string): string {
    return this.other(`run:${id}`);
  }

  private other(kind: string): string {
    return `${this.before}${kind}${this.behind}`;
  }
}

/** Whether a Cluster hashes a part of this key: what stands between the first `{` and the next `}`, if anything does. */
export function hasHashTag(key: string): boolean {
  const open = key.indexOf('{');
  return open >= 0 && key.indexOf('}', open) > open + 1;
}

function escapeBraces(text: string): string {
  return text.replace(/[%{}]/g, encodeURIComponent);
}
