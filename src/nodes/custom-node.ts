import { messageOf } from '../display.js';
import { errorOf, NodeUnreachableError } from '../errors.js';
import type { NodeDriver, Rejection, Silence } from './node-driver.js';
import type { JobKeyNames, JobView, Pause, Register } from './job-view.js';
import type { Claim, LockNode, NodeReport, Vote } from './lock-node.js';
import { NodeLog } from './node-log.js';
import type { Ending } from './undelivered.js';

/** A `LockNode` of the application. Nothing is known about it but its answers. */
export class CustomNode implements NodeDriver {
  readonly address: string;
  readonly log: NodeLog;
  /** When it last answered, on the monotonic clock. */
  private lastAnswer = Number.NEGATIVE_INFINITY;
  private resendLost: (which: 'failed') => void = () => {};

  /** @param nodeTimeout How long an answer may take, in milliseconds. */
  constructor(
    private readonly node: LockNode,
    private readonly nodeTimeout: number,
  ) {
    this.address = node.address;
    this.log = new NodeLog(`Node ${node.address}`);
  }

  async claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
    return this.voted(await this.node.claim(claim, token, ttl));
  }

  async extend(claim: Claim, token: string, ttl: number): Promise<boolean> {
    return this.voted(await this.node.extend(claim, token, ttl));
  }

  async settle(claim: Claim, token: string, record?: string): Promise<boolean> {
    return this.voted(await this.node.settle(claim, token, record));
  }

  async release(claim: Claim, token: string): Promise<boolean> {
    return this.voted(await this.node.release(claim, token));
  }

  resend(ending: Ending, claim: Claim, token: string): Promise<boolean> {
    return ending.kind === 'settle' ? this.settle(claim, token, ending.record) : this.release(claim, token);
  }

  async look(job: JobKeyNames, limit: number): Promise<JobView> {
    return this.answered(await this.node.look(job, limit));
  }

  async pause(key: string, pause?: Pause): Promise<Pause | undefined> {
    return this.answered(await this.node.pause(key, pause));
  }

  async register(register: Register, id: string, keep: number, content?: string): Promise<boolean> {
    return this.answered(await this.node.register(register, id, keep, content));
  }

  async registered(register: Register): Promise<readonly string[]> {
    return this.answered(await this.node.registered(register));
  }

  async open(): Promise<NodeReport> {
    return this.answered(await this.node.open());
  }

  async close(): Promise<void> {
    await this.node.close();
  }

  onRecovery(resend: (which: 'failed') => void): void {
    this.resendLost = resend;
  }

  usable(): undefined {
    return undefined;
  }

  rejected(thrown: unknown, isLate = false, mayStillVote = false): Rejection {
    const error = errorOf(thrown);
    const isExplained = error instanceof NodeUnreachableError;
    // The name `Error` says nothing.
    const why = isExplained ? error.reason : messageOf(error).replace(/^Error: /, '');
    if (!isLate && !mayStillVote) this.log.troubled(why);
    return { fate: 'unknown', cause: isExplained ? error : new NodeUnreachableError(this.address, why) };
  }

  unanswered(): Silence {
    return this.lastAnswer < performance.now() - this.nodeTimeout ? 'complete' : 'none';
  }

  private voted<Answer>(answer: Answer): Answer {
    this.log.connected();
    return this.answered(answer);
  }

  private answered<Answer>(answer: Answer): Answer {
    this.lastAnswer = performance.now();
    this.resendLost('failed');
    return answer;
  }
}
