import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Clock } from '../clock.js';
import { BoundedNode } from '../nodes/bounded-node.js';
import { JobKeys } from '../nodes/job-keys.js';
import type { LockNode } from '../nodes/lock-node.js';
import { contentOf, instanceOf } from '../acquire/token.js';
import { quoted, redacted } from '../display.js';
import { Hourly, MOST_REPORTS, REPEAT_AFTER } from '../hourly.js';
import { NodeUnreachableError } from '../errors.js';
import { CLOCK, LOCK_NODES, RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import type { ResolvedOptions } from '../options/options.js';
import type { Tick } from '../schedule/cron-ticks.js';
import type { Denial, Grant } from '../acquire/outcome.js';
import { NotHeldError } from '../acquire/store.js';

/** How many jobs are named during an outage, at its end, and in each hour of an overload. */
const MOST_NAMED = 20;
/** If no server has refused for this long, in milliseconds, any answer of a majority ends an outage. */
const QUIET = 60_000;

/** The end of a line that is logged once an hour. */
const COUNT_ALL = 'Logged once an hour for each job; to count every skip, listen to the event "skipped"';

/** What the log says of several nodes. */
const QUORUM = {
  lost: 'There is no quorum of the nodes',
  missing: 'there was no quorum of the nodes',
  missingForOne: 'there was no quorum of the nodes for it',
  reached: 'There is a quorum of the nodes again',
};
/** What the log says of a single node, for which 'quorum' and 'vote' would be confusing. */
const SINGLE: typeof QUORUM = {
  lost: 'No lock can be acquired',
  missing: 'its lock could not be acquired',
  missingForOne: 'its lock could not be acquired',
  reached: 'Locks can be acquired again',
};

/** A period in which no majority of the nodes voted. */
interface Outage {
  /** When it began, on the monotonic clock. */
  readonly since: number;
  /** When servers last refused to vote, although they can be reached and may answer what needs no write. */
  refusedAt: number;
  /** How many calls of each job were not run. */
  readonly skipped: Map<string, number>;
}

/**
 * Logs what an operator must know, once instead of for each tick: when the nodes are out of reach, which ticks may have
 * run on no instance, and whose tick is taken over. Losing a tick to another instance is normal and not logged.
 */
@Injectable()
export class OperatorLog {
  private readonly logger = new Logger('RedlockModule');
  private outage: Outage | undefined;
  /** How many jobs have been reported as not run because of an overload, and since when they are counted. */
  private overload = { since: Number.NEGATIVE_INFINITY, jobs: 0 };
  private readonly hourly: Hourly;
  private readonly words: typeof QUORUM;

  constructor(
    @Inject(LOCK_NODES) private readonly nodes: readonly LockNode[],
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.hourly = new Hourly(() => clock.elapsed());
    this.words = options.nodes.length > 1 ? QUORUM : SINGLE;
  }

  /** The result of one claim. */
  answered(result: Grant | Denial): void {
    const isStoreDown = result.kind === 'denied' && result.reason === 'store-down';
    if (isStoreDown) {
      if (!result.isOfOneLock) this.quorumLost(result.causes);
      return;
    }
    // No quorum has voted on the claim; perhaps it was never sent.
    if (result.kind === 'denied' && result.reason === 'overload') return;
    // A grant or a rank needed a write, so it ends any outage. Other answers say nothing about servers that refuse
    // writes.
    if (result.kind === 'granted' || result.rank !== undefined) this.quorumReached();
    else this.quorumAnswered();
  }

  /**
   * A majority of the nodes answers. If servers have refused to vote, the outage ends only after a while without a
   * refusal.
   */
  quorumAnswered(): void {
    if (this.outage && this.clock.elapsed() - this.outage.refusedAt > QUIET) this.quorumReached();
  }

  /** No majority of the nodes votes. @param causes The error of each node that does not vote. */
  quorumLost(causes: readonly Error[]): void {
    const isRefusal = causes.some(
      (cause) => cause instanceof NodeUnreachableError && cause.scope === 'server',
    );
    const now = this.clock.elapsed();
    const refusedAt = isRefusal ? now : Number.NEGATIVE_INFINITY;
    if (this.outage) {
      this.outage.refusedAt = Math.max(this.outage.refusedAt, refusedAt);
      return;
    }
    this.outage = { since: now, refusedAt, skipped: new Map() };
    this.logger.warn(
      `${this.words.lost}: jobs are skipped, or do what their onStoreDown says. ${messagesOf(causes)}`,
    );
  }

  private quorumReached(): void {
    const { outage } = this;
    if (!outage) return;
    this.outage = undefined;
    const seconds = ((this.clock.elapsed() - outage.since) / 1000).toFixed(1);
    const counts = [...outage.skipped]
      .slice(0, MOST_NAMED)
      .map(([name, count]) => `${quoted(name)} (${count})`);
    const more = outage.skipped.size - counts.length;
    if (more > 0) counts.push(`and ${more} more jobs`);
    const skipped = counts.length > 0 ? `. Not run by this instance meanwhile: ${counts.join(', ')}` : '';
    this.logger.log(`${this.words.reached}, after ${seconds} s${skipped}`);
  }

  /** Logs a call that was not run, if the reason may apply to every instance, or if shutdown drops the call. */
  skipped(name: string, tick: Tick | undefined, denial: Denial, isInFiring: boolean): void {
    const what = tick ? `The tick of ${timeOf(tick)} of ${quoted(name)}` : quoted(name);
    switch (denial.reason) {
      case 'store-down':
        if (denial.isOfOneLock) return this.skippedAlone(name, what, denial.causes);
        return this.skippedInOutage(name, what, denial.causes);
      case 'overlap':
        // A plain call that finds the lock held is the normal case.
        if (!tick || !this.hourly.isDue('overlap', name)) return;
        return this.logger.warn(
          `${what} was not run: an earlier run${instanceIn(denial.holder, 'on')}${sinceWhen(denial.holder)} still holds ` +
            `the lock. ${COUNT_ALL}`,
        );
      case 'overload':
        if (this.hourly.isDue('overload', name)) this.overloaded(what);
        return;
      case 'early':
        if (!this.hourly.isDue('early', name)) return;
        return this.logger.warn(
          `${what} was not run: by the clocks of the nodes it is not due yet, 30 s after it was due by the clock of this ` +
            'instance. Synchronize the clocks (NTP)',
        );
      case 'settled':
        if (denial.ahead !== undefined && this.hourly.isDue('ahead', name))
          this.clockSetBack(name, denial.ahead);
        return;
      case 'shutdown':
        // Another instance runs the tick, or the next interval; the caller of `trigger` gets the reason. Only a call
        // outside a firing would be lost unnoticed.
        if (!isInFiring && this.hourly.isDue('shutdown', name))
          this.logger.warn(`${what} was not run: the application is shutting down`);
        return;
      default:
    }
  }

  /** A lock was not given back: that of a run that has ended, or one from `lock()`. */
  notReleased(name: string, error: Error): void {
    const isGone = error instanceof NotHeldError;
    if (!this.hourly.isDue(isGone ? 'gone' : 'not released', name)) return;
    const problem = isGone
      ? 'was already gone when it was released: something has deleted it, such as an eviction policy of the server'
      : `could not be released, and ends with its lease at the latest: ${redacted(error.message)}`;
    this.logger.warn(`The lock of ${quoted(name)} ${problem} (logged once an hour)`);
  }

  /** This instance runs a tick again. @param dead The token of the claim with which the tick was begun. */
  takenOver(name: string, tick: Tick, dead: string | undefined): void {
    this.logger.log(
      `Takes over the tick of ${timeOf(tick)} of ${quoted(name)}${instanceIn(dead, 'from', ', which did not finish it')}`,
    );
  }

  /** Names only the first jobs of each hour, because an overload affects many. */
  private overloaded(what: string): void {
    const now = this.clock.elapsed();
    if (now - this.overload.since >= REPEAT_AFTER) this.overload = { since: now, jobs: 0 };
    const count = ++this.overload.jobs;
    if (count > MOST_NAMED + 1) return;
    if (count === MOST_NAMED + 1) {
      return this.logger.warn(
        'Other jobs were not run by this instance either, because of the overload; to count every skip, listen to the ' +
          'event "skipped"',
      );
    }
    this.logger.warn(
      `${what} was not run by this instance: too many claims at once for the nodes or for this process. Spread the ` +
        `jobs over time, run fewer of them in this process, or use a faster Redis. ${COUNT_ALL}`,
    );
  }

  private skippedInOutage(name: string, what: string, causes: readonly Error[]): void {
    const skipped = this.outage?.skipped;
    if (!skipped) return;
    const before = skipped.get(name) ?? 0;
    if (before === 0 && skipped.size >= MOST_REPORTS) return;
    skipped.set(name, before + 1);
    if (before > 0 || skipped.size > MOST_NAMED + 1) return;
    if (skipped.size === MOST_NAMED + 1) {
      return this.logger.warn(
        'Other jobs were not run by this instance either; they are counted when the outage ends',
      );
    }
    this.logger.warn(`${what} was not run by this instance: ${this.words.missing}. ${messagesOf(causes)}`);
  }

  /** The nodes still vote on other jobs. */
  private skippedAlone(name: string, what: string, causes: readonly Error[]): void {
    if (!this.hourly.isDue('refused', name)) return;
    this.logger.warn(
      `${what} was not run by this instance: ${this.words.missingForOne}. ${messagesOf(causes)} (logged once an hour)`,
    );
  }

  private clockSetBack(name: string, ahead: number): void {
    const { last } = new JobKeys(this.options.keyPrefix, name);
    const keys = this.nodes.map((node) =>
      node instanceof BoundedNode ? node.shownKeys([last]) : quoted(last),
    );
    this.logger.warn(
      `No tick of ${quoted(name)} will run for another ${(ahead / 1000).toFixed(0)} s: its newest settled tick is that far ` +
        `ahead of the clock of the nodes, which must have been set back. To run ticks from now on, delete the key ${[...new Set(keys)].join(' or ')} on each node`,
    );
  }
}

function messagesOf(causes: readonly Error[]): string {
  return causes.map((cause) => redacted(cause.message)).join('; ');
}

function timeOf({ at }: Tick): string {
  return new Date(at).toISOString();
}

/** When the run of a token was called, if that is known. */
function sinceWhen(token = ''): string {
  const run = contentOf(token);
  return run ? `, called at ${new Date(run.calledAt).toISOString()},` : '';
}

/** Names the instance of a token, if it is known. */
function instanceIn(token: string | undefined, before: string, after = ''): string {
  const instance = token === undefined ? '' : instanceOf(token);
  return instance === '' ? '' : ` ${before} ${quoted(instance)}${after}`;
}
