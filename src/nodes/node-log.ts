import { Logger } from '@nestjs/common';
import { quoted } from '../errors.js';

const logger = new Logger('RedlockModule');

/** How many locks that a server refuses are told apart. */
const REFUSED_AT_MOST = 100;

/** Tells the operator when one node stops voting and when it votes again: when that changes, not for each claim. */
export class NodeLog {
  /** What keeps the node from voting, if anything does. */
  trouble: string | undefined;
  /** Whether the server itself said so, so that a new connection does not end it. */
  private isRefusal = false;
  /** The timer after which trouble is logged that has just begun. */
  private warning: NodeJS.Timeout | undefined;
  /** The locks whose keys the server refuses, while it votes on others. */
  private readonly refused = new Set<string>();

  /** @param address The node, for messages. */
  constructor(private readonly address: string) {}

  /** The node has a connection again. */
  connected(): void {
    if (!this.isRefusal) this.voted();
  }

  /** The node has answered. @param lock About which lock. */
  voted(lock?: string): void {
    if (this.trouble !== undefined) {
      if (this.warning === undefined) logger.log(`Node ${this.address} votes again`);
      this.close();
      this.trouble = undefined;
      this.isRefusal = false;
    }
    if (this.refused.size === 0 || lock === undefined || !this.refused.delete(lock)) return;
    logger.log(`Node ${this.address} votes on ${quoted(lock)} again`);
  }

  /**
   * The connection is in trouble.
   *
   * @param grace How long to wait before it is logged, in milliseconds: what is over by then is not worth a line.
   */
  troubled(trouble: string, grace = 0): void {
    this.begin(trouble, grace);
    this.isRefusal = false;
  }

  /** The connection was closed, and is being made anew. What the server refused before, it may refuse again. */
  closed(why: string, grace: number): void {
    this.begin(this.trouble ?? why, grace);
  }

  /** The server answers, but refuses whatever it is asked. */
  refusing(why: string): void {
    this.begin(why, 0);
    this.isRefusal = true;
  }

  /** The server answers, and refuses what one lock needs. */
  refusingLock(lock: string, why: string): void {
    if (this.refused.has(lock) || this.refused.size >= REFUSED_AT_MOST) return;
    this.refused.add(lock);
    logger.warn(`Node ${this.address} cannot vote on ${quoted(lock)}: ${why}`);
  }

  /** Nothing more is logged of what has just begun. */
  close(): void {
    clearTimeout(this.warning);
    this.warning = undefined;
  }

  private begin(trouble: string, grace: number): void {
    const isNew = this.trouble === undefined;
    this.trouble = trouble;
    if (!isNew && this.warning === undefined) return;
    if (grace > 0) this.warning ??= setTimeout(() => this.warn(), grace).unref();
    else this.warn();
  }

  private warn(): void {
    this.close();
    logger.warn(`Node ${this.address} cannot vote: ${this.trouble}`);
  }
}
