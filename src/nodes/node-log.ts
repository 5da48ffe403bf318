import { Logger } from '@nestjs/common';
import { quoted, redacted } from '../display.js';
import { Hourly, REPEAT_AFTER } from '../hourly.js';
import type { Claim } from './lock-node.js';
import { type Done, type EndOfRefusal, Refusal } from './refusal.js';

const logger = new Logger('RedlockModule');

/** How long a node may be silent before it is logged, in milliseconds: a connection may come back within that time. */
export const GRACE = 1000;
/** How many of the claims that a server refuses are named in the log. */
const NAMED_AT_MOST = 20;

/** What the log says of a node. */
interface Wording {
  readonly fails: string;
  readonly works: string;
  readonly refuses: string;
  readonly refusesMore: string;
  readonly grants: string;
}

/** The words for a node among several: they speak of votes. */
const AMONG_OTHERS: Wording = {
  fails: 'cannot vote',
  works: 'votes again',
  refuses: 'cannot vote on',
  refusesMore: 'also cannot vote on other jobs, which the log does not name',
  grants: 'votes on',
};

/** The words for a single node: they do not speak of votes. */
export const ALONE: Wording = {
  fails: 'is unavailable',
  works: 'is available again',
  refuses: 'cannot grant the lock of',
  refusesMore: 'also cannot grant the locks of other jobs, which the log does not name',
  grants: 'can grant the lock of',
};

/** Logs when a node stops voting and when it votes again: once per change, not once per claim, until it is closed. */
export class NodeLog {
  /** What prevents the node from voting, if anything does. */
  trouble: string | undefined;
  /** Set while the server itself refuses to vote. */
  private refusal: Refusal | undefined;
  /** The timer that logs trouble that has just begun. */
  private warning: NodeJS.Timeout | undefined;
  private isClosed = false;
  /** The claims that the node cannot vote on, though it votes on others: when each was last refused, what ends it. */
  private readonly refused = new Map<string, { readonly at: number; readonly ends: EndOfRefusal }>();
  private readonly hourly = new Hourly(() => performance.now());

  /** What messages call the node, such as `Node 10.1.1.1:6379`. */
  readonly title: string;

  constructor(
    title: string,
    private readonly wording: Wording = AMONG_OTHERS,
  ) {
    this.title = redacted(title);
  }

  /** The node has a connection, or answers, again. What the server refused before, it may refuse again. */
  connected(): void {
    if (!this.refusal) this.recovered();
  }

  /** The node has answered. That ends a refusal only if `done` shows that it is over. */
  answered(claim: Claim, done: Done): void {
    if (!this.refusal || this.refusal.isOverAfter(done)) this.recovered();
    if (this.refused.size === 0) return;
    const ends = this.refused.get(identityOf(claim))?.ends;
    const isOver = ends === 'answer' || (ends !== undefined && done.wrote && done.step !== undefined);
    if (!isOver || !this.refused.delete(identityOf(claim))) return;
    logger.log(`${this.title} ${this.wording.grants} ${nameOf(claim)} again`);
  }

  /** The node has written something other than a vote. Its user may still lack permission for the scripts of claims. */
  wrote(): void {
    if (!this.refusal?.isOfScript) this.recovered();
  }

  /**
   * The connection is in trouble.
   *
   * @param grace How long to wait before it is logged, in milliseconds: shorter trouble is not worth a line.
   */
  troubled(trouble: string, grace = 0): void {
    this.begin(trouble, grace);
    this.refusal = undefined;
  }

  /** The connection was closed, and is being replaced. */
  closed(why: string, grace: number): void {
    this.begin(this.trouble ?? why, grace);
  }

  /** The server answers, and refuses to vote. */
  refusing(why: string, endsWith: EndOfRefusal): void {
    this.begin(why, 0);
    this.refusal = Refusal.of(endsWith, this.refusal);
  }

  /**
   * The node cannot vote on one claim, and may vote on others.
   *
   * @param remedy What to do about it, as the end of a sentence.
   * @param endsWith What ends it: with `'answer'`, any answer; otherwise, a script that writes.
   */
  refusingClaim(claim: Claim, why: string, remedy: string, endsWith: EndOfRefusal): void {
    const identity = identityOf(claim);
    const isKnown = this.refused.has(identity);
    if (!isKnown && this.refused.size > NAMED_AT_MOST) this.forgetOld();
    if (!isKnown && this.refused.size > NAMED_AT_MOST) return;
    this.refused.set(identity, { at: performance.now(), ends: endsWith });
    if (isKnown) return;
    if (this.refused.size > NAMED_AT_MOST) {
      logger.warn(`${this.title} ${this.wording.refusesMore}`);
    } else {
      logger.warn(`${this.title} ${this.wording.refuses} ${nameOf(claim)}: ${redacted(why)}${remedy}`);
    }
  }

  /** The server has settled a run, and refuses its record. @param remedy See `refusingClaim`. */
  unrecorded(claim: Claim, why: string, remedy: string): void {
    // A problem outside the keys of a job, such as a missing permission, is the same for all jobs.
    if (!this.hourly.isDue('refused', remedy === '' ? why : identityOf(claim))) return;
    logger.warn(
      `${this.title} settled a run of ${nameOf(claim)}, but did not complete its record: ${redacted(why)}${remedy} (logged once an hour)`,
    );
  }

  /** From now on, trouble only means that the connection was closed, and is not logged. */
  close(): void {
    this.isClosed = true;
    this.cancel();
  }

  private recovered(): void {
    if (this.trouble === undefined) return;
    if (this.warning === undefined && !this.isClosed) logger.log(`${this.title} ${this.wording.works}`);
    this.cancel();
    this.trouble = undefined;
    this.refusal = undefined;
  }

  private begin(trouble: string, grace: number): void {
    const isNew = this.trouble === undefined;
    this.trouble = trouble;
    if (this.isClosed || (!isNew && this.warning === undefined)) return;
    if (grace > 0) this.warning ??= setTimeout(() => this.warn(), grace).unref();
    else this.warn();
  }

  /** Makes room for other claims: some are never made again, such as that of a lock for a single order. */
  private forgetOld(): void {
    const since = performance.now() - REPEAT_AFTER;
    for (const [identity, { at }] of this.refused) if (at <= since) this.refused.delete(identity);
  }

  /** Cancels the pending log line about new trouble. */
  private cancel(): void {
    clearTimeout(this.warning);
    this.warning = undefined;
  }

  private warn(): void {
    this.cancel();
    logger.warn(`${this.title} ${this.wording.fails}: ${redacted(this.trouble ?? '')}`);
  }
}

function nameOf({ name, lock }: Claim): string {
  return quoted(name ?? lock);
}

/** The keys of a claim that stay the same from tick to tick. */
export function lastingKeys({ lock, tick, every, pause, history, mayOverlap }: Claim): string[] {
  const keys = mayOverlap ? [] : [lock];
  if (pause !== undefined) keys.push(pause);
  if (history) keys.push(history.records);
  if (history?.begun !== undefined) keys.push(history.begun);
  if (tick) keys.push(tick.last);
  if (every) keys.push(every.key);
  return keys;
}

function identityOf(claim: Claim): string {
  return [nameOf(claim), ...lastingKeys(claim)].join(' ');
}
