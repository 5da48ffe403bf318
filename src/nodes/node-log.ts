import { Logger } from '@nestjs/common';
import { quoted } from '../errors.js';
import type { Claim } from './lock-node.js';

const logger = new Logger('RedlockModule');

/** How many claims that a server refuses are told apart. With more, it is the server that is in trouble. */
const REFUSED_AT_MOST = 20;

/** Tells the operator when one node stops voting and when it votes again: when that changes, not for each claim. */
export class NodeLog {
  /** What keeps the node from voting, if anything does. */
  trouble: string | undefined;
  /** Whether the server itself said so. Then neither a new connection nor an answer that needs no write ends it. */
  private isRefusal = false;
  /** Whether that was about one command, such as the one that runs scripts: others say nothing about it. */
  private isOfScripts = false;
  /** The timer after which trouble is logged that has just begun. */
  private warning: NodeJS.Timeout | undefined;
  /** The claims that the server refuses, while it votes on others. */
  private readonly refused = new Set<string>();

  /** @param address The node, for messages. */
  constructor(private readonly address: string) {}

  /** The node can be reached: it has a connection, or has answered something. */
  reached(): void {
    if (!this.isRefusal) this.recovered();
  }

  /** The node has carried out a command that writes. @param isScript Whether a script did. */
  voted(claim: Claim, isScript: boolean): void {
    if (this.isRefusal && this.isOfScripts && !isScript) return;
    this.recovered();
    if (this.refused.size === 0 || !this.refused.delete(keysOf(claim))) return;
    logger.log(`Node ${this.address} votes on ${nameOf(claim)} again`);
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

  /** The connection was closed, and is being replaced. What the server refused before, it may refuse again. */
  closed(why: string, grace: number): void {
    this.begin(this.trouble ?? why, grace);
  }

  /** The server answers, and refuses to vote. @param isOfScripts Whether it refuses a command that scripts need. */
  refusing(why: string, isOfScripts = false): void {
    this.begin(why, 0);
    this.isRefusal = true;
    this.isOfScripts = isOfScripts;
  }

  /** The server refuses what one claim needs, such as a key that something else has written. */
  refusingClaim(claim: Claim, why: string): void {
    const keys = keysOf(claim);
    if (this.refused.has(keys)) return;
    if (this.refused.size >= REFUSED_AT_MOST) return this.refusing(why);
    this.refused.add(keys);
    logger.warn(
      `Node ${this.address} cannot vote on ${nameOf(claim)}: ${why}. It needs the keys ${keys}; delete any that something else has written`,
    );
  }

  /** Logs nothing more about trouble that has just begun. */
  stop(): void {
    clearTimeout(this.warning);
    this.warning = undefined;
  }

  private recovered(): void {
    if (this.trouble === undefined) return;
    if (this.warning === undefined) logger.log(`Node ${this.address} votes again`);
    this.stop();
    this.trouble = undefined;
    this.isRefusal = false;
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
    logger.warn(`Node ${this.address} cannot vote: ${this.trouble}`);
  }
}

function nameOf({ name, lock }: Claim): string {
  return quoted(name ?? lock);
}

/** The keys of a claim that stay the same from tick to tick. */
function keysOf({ lock, tick, every, mayOverlap }: Claim): string {
  const keys = mayOverlap ? [] : [lock];
  if (tick) keys.push(tick.last);
  if (every) keys.push(every.key);
  return keys.join(', ');
}
