import { setTimeout as sleep } from 'node:timers/promises';
import { quoted } from '../display.js';
import { NodeUnreachableError } from '../errors.js';
import { Deadline } from './deadline.js';
import type { JobKeyNames, JobView, Pause, Register } from './job-view.js';
import type { Claim, LockNode, NodeReport, Vote } from './lock-node.js';
import type { NodeDriver, Rejection } from './node-driver.js';
import { GRACE } from './node-log.js';
import { Retries } from './retries.js';
import { type Ending, ENDINGS, type Undelivered, UndeliveredCommands, type Which } from './undelivered.js';

const RELEASE: Ending = { kind: 'release' };

/** How long `open` may take, in milliseconds: a store may have to be set up. */
const OPEN_LIMIT = 30_000;

/** How many unanswered extensions are remembered: a node may never answer. */
const MOST_EXTENSIONS = 10_000;

/** An extension that the node has not answered yet. */
interface Extension {
  readonly lock: string;
  readonly token: string;
  /** How the claim has ended meanwhile. */
  end?: Ending['kind'];
}

/**
 * Limits the time that a node may take, whatever the node does: each answer or rejection comes within `nodeTimeout`
 * (`open` may take `OPEN_LIMIT`; `usable` may take `nodeTimeout` more). A claim that is granted late is released, and
 * so is a lock that an extension has taken again after its release. A settle or a release that was lost or rejected is
 * sent again.
 */
export class BoundedNode implements LockNode {
  readonly address: string;
  private readonly deadline: Deadline;
  private readonly undelivered: UndeliveredCommands;
  private readonly retries: readonly Retries[];
  /** Those that are not answered yet. */
  private readonly extensions = new Set<Extension>();
  private isClosing = false;

  /** @param nodeTimeout How long an answer may take, in milliseconds. */
  constructor(
    private readonly node: NodeDriver,
    private readonly nodeTimeout: number,
  ) {
    this.address = node.address;
    this.deadline = new Deadline(nodeTimeout, () => this.late());
    this.undelivered = new UndeliveredCommands(nodeTimeout);
    const { undelivered } = this;
    this.retries = ENDINGS.map((kind) => new Retries(kind, undelivered, (each) => this.deliverAgain(each)));
    node.onRecovery((which) => this.resend(which));
  }

  /** What messages call the node. */
  get title(): string {
    return this.node.log.title;
  }

  /** The names of these keys in the store, for messages. */
  shownKeys(keys: readonly string[]): string {
    return this.node.shownKeys?.(keys) ?? keys.map(quoted).join(', ');
  }

  claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
    return this.onceUsable(() => this.claimNow(claim, token, ttl));
  }

  private claimNow(claim: Claim, token: string, ttl: number): Promise<Vote> {
    // Until there is an answer, the claim may have been granted.
    const release = this.undelivered.add(RELEASE, claim, token);
    const answer = this.deadline.within(
      this.node.claim(claim, token, ttl),
      (vote, isLate) => {
        this.undelivered.forget(release);
        const isOrphaned = isLate && vote.kind === 'granted' && !release.isObsolete;
        if (isOrphaned) void this.release(claim, token).catch(() => {});
        return vote;
      },
      (error, isLate) => {
        const { fate, cause } = this.node.rejected(error, isLate, false, claim);
        if (fate === 'not sent') this.undelivered.forget(release);
        else if (fate !== 'unknown') this.undelivered.claimRefused(release);
        return cause;
      },
      () => this.late(claim),
    );
    answer.catch(() => this.undelivered.failed(release));
    return answer;
  }

  extend(claim: Claim, token: string, ttl: number): Promise<boolean> {
    this.undelivered.cancelRelease(token);
    const extension: Extension = { lock: claim.lock, token };
    this.extensions.add(extension);
    const [oldest = extension] = this.extensions;
    if (this.extensions.size > MOST_EXTENSIONS) this.extensions.delete(oldest);
    const extended = this.node.extend(claim, token, ttl).finally(() => this.extensions.delete(extension));
    const answered = (isHeld: boolean): boolean => {
      if (isHeld && extension.end) void this[extension.end](claim, token).catch(() => {});
      return isHeld;
    };
    return this.inTime(extended, answered);
  }

  settle(claim: Claim, token: string, record?: string): Promise<boolean> {
    this.undelivered.cancelRelease(token);
    const settle = this.undelivered.add({ kind: 'settle', record }, claim, token);
    return this.deliver(settle, this.node.settle(claim, token, record));
  }

  release(claim: Claim, token: string): Promise<boolean> {
    const release = this.undelivered.add(RELEASE, claim, token);
    return this.deliver(release, this.node.release(claim, token));
  }

  look(job: JobKeyNames, limit: number): Promise<JobView> {
    return this.read(() => this.node.look(job, limit));
  }

  pause(key: string, pause?: Pause): Promise<Pause | undefined> {
    return this.read(() => this.node.pause(key, pause));
  }

  register(register: Register, id: string, keep: number, content?: string): Promise<boolean> {
    return this.read(() => this.node.register(register, id, keep, content));
  }

  registered(register: Register): Promise<readonly string[]> {
    return this.read(() => this.node.registered(register));
  }

  open(): Promise<NodeReport> {
    return new Promise((resolve, reject) => {
      const why = `it could not be opened within ${OPEN_LIMIT / 1000} s`;
      const limit = setTimeout(() => reject(this.unreachable(why)), OPEN_LIMIT);
      const failed = (error: unknown): void => reject(this.node.rejected(error).cause);
      this.node
        .open()
        .then(resolve, failed)
        .finally(() => clearTimeout(limit));
    });
  }

  async close(): Promise<void> {
    this.node.log.close();
    this.isClosing = true;
    // The node may now accept what it rejected. Waits, because a settle may be in flight over a new connection.
    for (const kind of ENDINGS) this.resend(kind);
    await this.atMost(this.undelivered.whenEmpty());
    for (const each of this.retries) each.stop();
    await this.atMost(this.node.close());
    this.deadline.stop();
  }

  private read<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    return this.onceUsable(() => this.inTime(ask(), (answer) => answer, true));
  }

  /** Asks once it is known whether commands can be sent: at once, if it is known now. */
  private onceUsable<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    const usable = this.node.usable();
    if (!usable) return ask();
    return usable.then(ask, (error: unknown) => Promise.reject(this.node.rejected(error).cause));
  }

  private inTime<Answer>(
    asked: Promise<Answer>,
    read: (answer: Answer) => Answer,
    mayStillVote = false,
  ): Promise<Answer> {
    const rejected = (error: unknown, isLate: boolean): Error =>
      this.node.rejected(error, isLate, mayStillVote).cause;
    return this.deadline.within(asked, read, rejected);
  }

  private async atMost(work: Promise<void>): Promise<void> {
    const over = new AbortController();
    const limit = sleep(this.nodeTimeout, undefined, { signal: over.signal }).catch(() => {});
    await Promise.race([work.catch(() => {}), limit]);
    over.abort();
  }

  private resend(which: Which): void {
    for (const command of this.undelivered.take(which)) void this.deliverAgain(command).catch(() => {});
  }

  private deliverAgain(command: Undelivered): Promise<boolean> {
    const { ending, claim, token } = command;
    return this.deliver(command, this.node.resend(ending, claim, token), true);
  }

  /** Makes sure that a command arrives: without an answer, or refused for now, it is sent again for up to a minute. */
  private deliver(command: Undelivered, sent: Promise<boolean>, mayStillVote = false): Promise<boolean> {
    const arrived = (isHeld: boolean): boolean => {
      this.undelivered.forget(command);
      this.noteEnd(command);
      for (const each of this.retries) each.accepted();
      return isHeld;
    };
    const answer = this.deadline.within(sent, arrived, (error, isLate) => {
      const { fate, cause } = this.node.rejected(error, isLate, mayStillVote, command.claim);
      this.keepOrForget(command, fate);
      return cause;
    });
    answer.catch(() => this.undelivered.failed(command));
    return answer;
  }

  private noteEnd({ isObsolete, claim, token, ending }: Undelivered): void {
    // The holder has extended the claim since, so it has not ended.
    if (isObsolete) return;
    for (const extension of this.extensions)
      if (extension.token === token && extension.lock === claim.lock) extension.end = ending.kind;
  }

  /** A command that was rejected is sent again, unless that would be in vain or is not needed. */
  private keepOrForget(command: Undelivered, fate: Rejection['fate']): void {
    const isNeedless = fate === 'refused' && (this.isClosing || this.undelivered.isNeedless(command));
    if (isNeedless || fate === 'refused for good') return this.undelivered.forget(command);
    this.undelivered.rejected(command);
    for (const each of this.retries) each.rejected();
  }

  private late(claim?: Claim): NodeUnreachableError {
    const { log } = this.node;
    const why = log.trouble ?? `no answer within ${this.nodeTimeout} ms`;
    switch (this.node.unanswered(claim)) {
      // A node that answers other commands is slow, but not down.
      case 'none':
        return this.unreachable(why, 'slow');
      case 'perhaps in part':
        return this.unreachable(why, 'lock');
      case 'in part':
        if (claim) log.refusingClaim(claim, why, '', 'answer');
        return this.unreachable(why, 'lock');
      case 'complete':
        log.troubled(why, GRACE);
        return this.unreachable(why);
    }
  }

  private unreachable(why: string, scope?: 'slow' | 'lock'): NodeUnreachableError {
    return new NodeUnreachableError(this.address, why, scope, this.title);
  }
}
