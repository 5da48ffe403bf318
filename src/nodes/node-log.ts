import { Logger } from '@nestjs/common';
import { quoted, redacted } from '../display.js';
import type { Claim } from './lock-node.js';

const logger = new Logger('RedlockModule');

/** How long a node may be silent before it is logged, in milliseconds: a connection may come back within that time. */
export const GRACE = 1000;
/** How many of the claims that a server refuses are named in the log. */
const NAMED_AT_MOST = 20;
/** How long after the last refusal any answer shows that it is over, in milliseconds. */
const QUIET = 60_000;

/** What a server has done to answer. */
export interface Done {
  /** Whether it has written something. */
  readonly wrote: boolean;
  /** Whether it has run a script. */
  readonly ran: boolean;
}

/** Logs when a node stops voting and when it votes again: once per change, not once per claim. */
export class NodeLog {
  /** What prevents the node from voting, if anything does. */
  trouble: string | undefined;
  /** Set while the server itself refuses to vote: what would show that this is over, and when it last refused. */
  private refusal: { readonly endsWith: 'answer' | 'write' | 'script'; readonly at: number } | undefined;
  /** The timer that logs trouble that has just begun. */
  private warning: NodeJS.Timeout | undefined;
  /** The claims that the server refuses, while it votes on others. */
  private readonly refused = new Set<string>();

  private readonly address: string;

  /** @param address The node, for messages. */
  constructor(address: string) {
    this.address = redacted(address);
  }

  /** The node has a connection again. What the server refused before, it may refuse again. */
  connected(): void {
    if (!this.refusal) this.recovered();
  }

  /** The node has answered. A refusal is over only when the server does again what it refused. */
  answered(claim: Claim, done: Done): void {
    if (this.trouble !== undefined && this.isOver(done)) this.recovered();
    if (this.refused.size === 0 || !(done.wrote && done.ran) || !this.refused.delete(identityOf(claim)))
      return;
    logger.log(`Node ${this.address} votes on ${nameOf(claim)} again`);
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
  refusing(why: string, endsWith: 'answer' | 'write' | 'script'): void {
    this.begin(why, 0);
    this.refusal = { endsWith, at: performance.now() };
  }

  /** The server refuses what one claim needs. @param remedy What to do about it, as the end of a sentence. */
  refusingClaim(claim: Claim, why: string, remedy: string): void {
    const identity = identityOf(claim);
    if (this.refused.has(identity) || this.refused.size > NAMED_AT_MOST) return;
    this.refused.add(identity);
    if (this.refused.size > NAMED_AT_MOST) {
      logger.warn(`Node ${this.address} cannot vote on more jobs, which the log does not name`);
    } else {
      logger.warn(`Node ${this.address} cannot vote on ${nameOf(claim)}: ${redacted(why)}${remedy}`);
    }
  }

  /** Cancels the pending log line about new trouble. */
  stop(): void {
    clearTimeout(this.warning);
    this.warning = undefined;
  }

  private isOver(done: Done): boolean {
    const { refusal } = this;
    if (!refusal || refusal.endsWith === 'answer' || performance.now() - refusal.at > QUIET) return true;
    return refusal.endsWith === 'write' ? done.wrote : done.ran;
  }

  private recovered(): void {
    if (this.trouble === undefined) return;
    if (this.warning === undefined) logger.log(`Node ${this.address} votes again`);
    this.stop();
    this.trouble = undefined;
    this.refusal = undefined;
  }

  private begin(trouble: string, grace: number): void {
    const isNew = this.trouble === undefined;
    this.trouble = trouble;
    if (!isNew && this.warning === undefined) return;
    if (grace > 0) this.warning ??= setTimeout(() => this.warn(), grace).unref();
    else this.warn();
  }

  private warn(): void {
    this.stop();
    logger.warn(`Node ${this.address} cannot vote: ${redacted(this.trouble ?? '')}`);
  }
}

function nameOf({ name, lock }: Claim): string {
  return quoted(name ?? lock);
}

/** The keys of a claim that stay the same from tick to tick. */
export function lastingKeys({ lock, tick, every, mayOverlap }: Claim): string[] {
  const keys = mayOverlap ? [] : [lock];
  if (tick) keys.push(tick.last);
  if (every) keys.push(every.key);
  return keys;
}

function identityOf(claim: Claim): string {
  return [nameOf(claim), ...lastingKeys(claim)].join(' ');
}
