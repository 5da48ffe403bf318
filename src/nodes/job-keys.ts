import { createHash } from 'node:crypto';
import type { Register } from './job-view.js';

/** The Redis keys of one job, all in one Cluster slot. */
export class JobKeys {
  /**
   * The lock. Unless the name has a stray brace, it is exactly the key that the recipe in docs/from-the-recipe.md uses,
   * such as `JOB_LOCKER_report`: old and new instances exclude each other.
   */
  readonly lock: string;
  /** What comes before and after the kind, such as `last`, in the keys that `other` makes. */
  private readonly before: string;
  private readonly after: string;

  /** The keys of the job `name`, which may be any string. No two jobs share a key. */
  constructor(keyPrefix: string, name: string) {
    const plain = `${keyPrefix}_${name}`;
    this.lock = plain;
    this.before = `{${plain}}:`;
    this.after = '';
    if (!plain.includes('}')) return;
    if (hasHashTag(plain)) {
      // The kind comes first: at the end, it could be mistaken for the end of another job's name.
      this.before = '';
      this.after = `:${plain}`;
    } else {
      // A hash tag cannot contain a stray brace. Such a job gets an escaped lock key instead of that of the recipe: it
      // matters more that all keys of a job are in one slot.
      this.before = `{${escapeBraces(plain)}}:escaped:`;
      this.lock = this.other('lock');
    }
  }

  /** The newest settled tick. */
  get last(): string {
    return this.other('last');
  }

  /** The token of the newest run that was begun and is not settled. */
  get begun(): string {
    return this.other('begun');
  }

  /** The list of run records. */
  get records(): string {
    return this.other('runs');
  }

  /** The pause of the job, or the end of its pause. */
  get pause(): string {
    return this.other('pause');
  }

  /** The marker of `every` and of `@Interval`. */
  get every(): string {
    return this.other('every');
  }

  /** The counter of claims that lost a tick or an interval. */
  losers(at: number | 'every'): string {
    return this.other(`losers:${at}`);
  }

  /** The marker of one tick, by its nominal time in milliseconds since the epoch. */
  tick(at: number): string {
    return this.other(`tick:${at}`);
  }

  /** The lock of whoever reports a job as overdue: taken, and never released. `at`: when the run was due. */
  overdue(at: number): string {
    return this.other(`overdue:${at}`);
  }

  /** Where the instances of the application register. Use it only with an empty job name, which no job has. */
  get fleet(): Register {
    return { ends: this.other('fleet:ends'), entries: this.other('fleet') };
  }

  /** The lock of the instance that looks for drift or reports it: taken, and never released. */
  drift(what: string): string {
    return this.other(`drift:${createHash('sha1').update(what).digest('hex').slice(0, 16)}`);
  }

  /** The lock of one run among several that may overlap. */
  run(id: string): string {
    return this.other(`run:${id}`);
  }

  private other(kind: string): string {
    return `${this.before}${kind}${this.after}`;
  }
}

/** Whether a Cluster hashes only a part of this key: a non-empty part between the first `{` and the next `}`. */
export function hasHashTag(key: string): boolean {
  const open = key.indexOf('{');
  return open >= 0 && key.indexOf('}', open) > open + 1;
}

function escapeBraces(text: string): string {
  return text.replace(/[%{}]/g, encodeURIComponent);
}
