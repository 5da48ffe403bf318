import { NodeUnreachableError } from '../errors.js';
import type { NodeDriver } from './bounded-node.js';
import type { Claim, LockNode, NodeReport, Vote } from './lock-node.js';
import { NodeLog } from './node-log.js';
import type { Ending } from './undelivered.js';

/** A `LockNode` of the application. Nothing is known about it but its answers. */
export class CustomNode implements NodeDriver {
  readonly address: string;
  readonly log: NodeLog;
  /** When it last answered, on the monotonic clock. */
  private lastAnswer = Number.NEGATIVE_INFINITY;
  private resendLost: (which: 'overdue') => void = () => {};

  /** @param nodeTimeout How long an answer may take, in milliseconds. */
  constructor(
    private readonly node: LockNode,
    private readonly nodeTimeout: number,
  ) {
    this.address = node.address;
    this.log = new NodeLog(node.address);
  }

  async claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
    return this.answered(claim, await this.node.claim(claim, token, ttl));
  }

  async extend(claim: Claim, token: string, ttl: number): Promise<boolean> {
    return this.answered(claim, await this.node.extend(claim, token, ttl));
  }

  async settle(claim: Claim, token: string): Promise<boolean> {
    return this.answered(claim, await this.node.settle(claim, token));
  }

  async release(claim: Claim, token: string): Promise<boolean> {
    return this.answered(claim, await this.node.release(claim, token));
  }

  resend(ending: Ending, claim: Claim, token: string): Promise<boolean> {
    return this[ending](claim, token);
  }

  async open(): Promise<NodeReport> {
    return this.node.open();
  }

  async close(): Promise<void> {
    await this.node.close();
  }

  onRecovery(resend: (which: 'overdue') => void): void {
    this.resendLost = resend;
  }

  usable(): undefined {
    return undefined;
  }

  fateOf(): 'unknown' {
    return 'unknown';
  }

  explain(error: unknown): NodeUnreachableError {
    if (error instanceof NodeUnreachableError) {
      this.log.troubled(error.reason);
      return error;
    }
    const why = error instanceof Error ? error.message : String(error);
    this.log.troubled(why);
    return new NodeUnreachableError(this.address, why);
  }

  unanswered(): boolean {
    return this.lastAnswer < performance.now() - this.nodeTimeout;
  }

  private answered<Answer>(claim: Claim, answer: Answer): Answer {
    this.lastAnswer = performance.now();
    this.log.answered(claim, { wrote: true, ran: true });
    this.resendLost('overdue');
    return answer;
  }
}
