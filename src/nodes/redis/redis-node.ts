import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { NodeUnreachableError } from '../../errors.js';
import { addressOf } from './address.js';
import { Deadline, type PendingReply } from '../deadline.js';
import { readInfo } from './info.js';
import type { Claim, LockNode, NodeReport, Vote } from '../lock-node.js';
import { ServerClock } from './server-clock.js';
import { NodeLog } from '../node-log.js';
import {
  clientLike,
  milliseconds,
  newClient,
  NotSent,
  RedisConnection,
  type RedisNodeSettings,
} from './redis-connection.js';
import { CLOSED, explained, isOfOneCommand, isOfOneLock, isReadOnly } from './redis-errors.js';
import { argumentsOf, heldOf, isExpired, isPlain, isRefused, voteOf } from './script-call.js';
import { CLAIM, EXTEND, RELEASE_LOCK, RELEASE, type Script, SETTLE } from './scripts.js';

export type { RedisNodeSettings } from './redis-connection.js';

/** A command to send over the next connection, unless the server answers what was sent over this one. */
interface Owed {
  readonly script: Script;
  readonly claim: Claim;
  readonly until: number;
}

/** How long an unanswered claim, release or settle stays worth following up, in milliseconds. */
const OWED_FOR = 60_000;
/** How many of them a node keeps: the oldest goes first. */
const OWED_AT_MOST = 10_000;

/** How long a connection may take to come back before the log says that it is gone, in milliseconds. */
const GRACE = 1000;

/** From so many commands under way on, it pays to collect them. */
const MANY = 8;

/**
 * One Redis server, Sentinel group or Cluster as a voting node. Answers within `nodeTimeout`, whatever Redis does, and
 * sends nothing while the connection is not ready.
 */
export class RedisNode implements LockNode {
  readonly address: string;
  private readonly connection: RedisConnection;
  private readonly deadline: Deadline;
  private readonly clock = new ServerClock();
  private readonly owed = new Map<string, Owed>();
  /** Called when nothing is owed any more. */
  private onPaid: () => void = () => {};
  private readonly log: NodeLog;

  private constructor(
    client: Redis | Cluster,
    private readonly settings: RedisNodeSettings,
  ) {
    this.address = addressOf(client);
    this.log = new NodeLog(this.address);
    this.deadline = new Deadline(settings.nodeTimeout, (error) => this.failure(error));
    this.connection = new RedisConnection(client, settings.nodeTimeout, {
      onReady: () => this.onReady(),
      onTrouble: (what) => this.log.troubled(what),
      onClose: () => this.log.closed(CLOSED, GRACE),
      onTime: (time, asked) => this.clock.note(time, asked),
    });
  }

  /** A node with a connection made from options, by `open` or the first claim. */
  static connecting(options: RedisOptions, settings: RedisNodeSettings): RedisNode {
    return new RedisNode(newClient(options, settings), settings);
  }

  /**
   * A node with a connection like that of a client which the application has. The client itself is left alone: it may queue
   * commands, be busy with a blocking one, or be closed before the last lock is released.
   */
  static like(client: Redis | Cluster, settings: RedisNodeSettings): RedisNode {
    return new RedisNode(clientLike(client, settings), settings);
  }

  claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
    if (!this.connection.isUncertain) return this.claimNow(claim, token, ttl);
    return this.usable().then(() => this.claimNow(claim, token, ttl));
  }

  private claimNow(claim: Claim, token: string, ttl: number): Promise<Vote> {
    // Until it is answered, it may have been granted.
    const owed = this.owe(RELEASE, claim, token);
    return this.deadline.within(
      (pending) =>
        isPlain(claim)
          ? this.claimLock(claim, token, ttl, pending)
          : this.ask(CLAIM, claim, token, ttl, pending),
      (reply) => {
        const vote = voteOf(reply);
        this.paid(token, owed);
        return this.heard(claim, vote);
      },
      (late) => {
        this.paid(token, owed);
        this.connection.heard();
        if (!isRefused(late)) void this.release(claim, token).catch(() => {});
      },
      (error) => {
        if (error instanceof NotSent || isFinal(error)) this.paid(token, owed);
        if (isOfOneLock(error)) this.log.refusingLock(claim.lock, explained((error as Error).message));
      },
    );
  }

  extend(claim: Claim, token: string, ttl: number): Promise<boolean> {
    return this.deadline.within(
      (pending) => this.ask(EXTEND, claim, token, ttl, pending),
      (reply) => this.heard(claim, heldOf(reply)),
      () => this.connection.heard(),
    );
  }

  settle(claim: Claim, token: string): Promise<boolean> {
    return this.deliver(SETTLE, claim, token);
  }

  release(claim: Claim, token: string): Promise<boolean> {
    return this.deliver(RELEASE, claim, token);
  }

  async open(): Promise<NodeReport> {
    await this.connected();
    return this.inspect();
  }

  async close(): Promise<void> {
    this.log.close();
    // A settle may be on its way over a new connection.
    const { nodeTimeout } = this.settings;
    if (this.owed.size > 0) {
      const paid = new Promise<void>((resolve) => (this.onPaid = resolve));
      await Promise.race([paid, pause(nodeTimeout, undefined, { ref: false })]);
    }
    await this.connection.close();
  }

  private onReady(): void {
    this.log.connected();
    const now = performance.now();
    // What is delivered is owed again, until it is answered.
    const owed = [...this.owed];
    this.owed.clear();
    for (const [token, { script, claim, until }] of owed) {
      if (until > now) void this.deliver(script, claim, token, true).catch(() => {});
    }
  }

  private async connected(): Promise<void> {
    await this.connection.connected().catch((error: unknown) => Promise.reject(this.failure(error)));
  }

  private async usable(): Promise<void> {
    await this.connection.usable().catch((error: unknown) => Promise.reject(this.failure(error)));
  }

  private async inspect(): Promise<NodeReport> {
    const { warnings, clockOffset } = await this.compareClocks();
    // The nodes of a Cluster differ in all of what follows.
    if (this.client.isCluster) return { warnings, clockOffset };
    const info = await this.answerTo(this.client.info());
    const seen: NodeReport = typeof info === 'string' ? readInfo(info) : { warnings: [notLookedOver(info)] };
    const unfit = seen.unfit ?? (await this.misplaced(this.client as Redis));
    return { ...seen, unfit, warnings: [...warnings, ...seen.warnings], clockOffset };
  }

  private async compareClocks(): Promise<NodeReport> {
    const before = Date.now();
    const asked = performance.now();
    const reply = await this.answerTo(this.client.time());
    const time = Array.isArray(reply) ? milliseconds(reply[0], reply[1]) : Number.NaN;
    if (Number.isNaN(time))
      return { warnings: [`does not tell the time, so clocks are not compared: ${said(reply)}`] };
    this.clock.note(time, asked);
    return { warnings: [], clockOffset: time - (before + Date.now()) / 2 };
  }

  /** What the server answers, or the error with which it refuses one command: it may well allow those that vote. */
  private answerTo(answer: Promise<unknown>): Promise<unknown> {
    return this.within(
      answer.catch((error: unknown) => (isOfOneCommand(error) ? error : Promise.reject(error as Error))),
    );
  }
  /** Why the locks would be in another database than was asked for: ioredis goes on in the first one. */
  private async misplaced(client: Redis): Promise<string | undefined> {
    const { db = 0 } = client.options;
    if (db === 0) return undefined;
    const refusal = client.select(db).then(
      () => undefined,
      (error: Error) => {
        if (error.name !== 'ReplyError') throw error;
        return `it refuses database ${db} (${error.message}); give one that it has, and that its user may select`;
      },
    );
    return this.within(refusal);
  }

  /** A lock that is free needs no script. One that is not is asked who has it, and so is a server that takes none. */
  private claimLock(claim: Claim, token: string, ttl: number, pending: PendingReply): Promise<unknown> {
    if (!this.connection.isReady) return Promise.reject(this.notReady());
    this.batch();
    return this.client.set(claim.lock, token, 'PX', ttl, 'NX').then(
      (reply) => (reply === 'OK' ? 1 : this.ask(CLAIM, claim, token, ttl, pending)),
      (error: unknown) => {
        if (!(error instanceof Error && error.name === 'ReplyError') || isReadOnly(error)) throw error;
        return this.ask(CLAIM, claim, token, ttl, pending);
      },
    );
  }

  /** A command that the server refuses when it comes late, by its clock: once more, if that has only been set. */
  private ask(
    script: Script,
    claim: Claim,
    token: string,
    ttl: number,
    pending: PendingReply,
  ): Promise<unknown> {
    // Nobody would learn of what it grants, and give it back.
    if (!pending.isOpen) return Promise.reject(new NotSent('too late to ask'));
    const asked = performance.now();
    // The servers of a Cluster have clocks of their own.
    const deadline = this.client.isCluster ? 0 : this.clock.after(this.settings.nodeTimeout);
    return this.send(script, claim, token, ttl, deadline).then((reply) => {
      if (!isExpired(reply)) return reply;
      this.clock.note(reply[1], asked);
      return this.ask(script, claim, token, ttl, pending);
    });
  }

  /**
   * A command that must arrive: where it may not have, it is sent over the next connection.
   *
   * @param isWhole Whether to send the script itself: a server that does not know it would be sent it after other commands.
   */
  private deliver(script: Script, claim: Claim, token: string, isWhole = false): Promise<boolean> {
    const owed = this.owe(script, claim, token);
    // A lock can be given back even to a server that can grant none, such as one without memory.
    const read = (reply: unknown): boolean => {
      const isHeld = heldOf(reply);
      this.paid(token, owed);
      return script === RELEASE ? isHeld : this.heard(claim, isHeld);
    };
    const what = isPlain(claim) ? RELEASE_LOCK : script;
    return this.deadline.within(
      () => this.send(what, claim, token, 0, 0, isWhole),
      read,
      () => {
        this.paid(token, owed);
        this.connection.heard();
      },
      // The connection may break long after the deadline.
      (error) => {
        if (isFinal(error)) this.paid(token, owed);
      },
    );
  }

  private owe(script: Script, claim: Claim, token: string): Owed {
    const owed = { script, claim, until: performance.now() + OWED_FOR };
    this.owed.set(token, owed);
    if (this.owed.size > OWED_AT_MOST) this.owed.delete(this.owed.keys().next().value ?? '');
    return owed;
  }

  /** It was answered; something else may be owed for the same token by now. */
  private paid(token: string, owed: Owed): void {
    if (this.owed.get(token) === owed) this.owed.delete(token);
    if (this.owed.size === 0) this.onPaid();
  }

  /** @param deadline Until when to carry it out, by the clock of the server; 0: at any time. */
  private send(
    script: Script,
    claim: Claim,
    token: string,
    ttl = 0,
    deadline = 0,
    isWhole = script === EXTEND,
  ): Promise<unknown> {
    if (!this.connection.isReady) return Promise.reject(this.notReady());
    this.batch();
    const values = argumentsOf(script, claim, token, ttl, deadline);
    // An extension in one command: its second half could come after its run is settled, and take the lock again.
    if (isWhole) return this.client.eval(script.lua, ...values);
    return this.client.evalsha(script.sha, ...values).catch((error: unknown) => {
      const isUnknown = error instanceof Error && error.message.startsWith('NOSCRIPT');
      if (!isUnknown) throw error;
      return this.client.eval(script.lua, ...values);
    });
  }

  private get client(): Redis | Cluster {
    return this.connection.client;
  }

  /** Where many commands are under way, those of one turn of the event loop leave in one write. */
  private batch(): void {
    if (this.deadline.waiting < MANY || this.client.isCluster) return;
    const { stream } = this.client as Redis;
    if (stream.writableCorked > 0) return;
    stream.cork();
    process.nextTick(() => stream.uncork());
  }

  private notReady(): Error {
    return new NotSent(this.log.trouble ?? 'not connected');
  }

  private heard<Answer>(claim: Claim, answer: Answer): Answer {
    this.connection.heard();
    this.log.voted(claim.lock);
    return answer;
  }

  private within<T>(answer: Promise<T>): Promise<T> {
    return this.deadline.within(
      () => answer,
      (value) => value,
    );
  }

  /** @param error What a command was rejected with; `undefined`: no answer came. */
  private failure(error: unknown): NodeUnreachableError {
    const { address, log } = this;
    if (error === undefined) {
      const why = log.trouble ?? `no answer within ${this.settings.nodeTimeout} ms`;
      // While it answers others, it is slow, and not away.
      if (this.connection.unanswered()) log.troubled(why, GRACE);
      return new NodeUnreachableError(address, why);
    }
    const message = error instanceof Error ? error.message : 'no error was given';
    // Nothing has been learned of the node.
    if (error instanceof NotSent) return new NodeUnreachableError(address, log.trouble ?? message);
    if (isFinal(error)) this.connection.heard();
    const why = message === log.trouble ? message : explained(message);
    const isOfLock = isOfOneLock(error);
    // A close is noted when it happens; this may be about a connection that has been replaced.
    if (why !== CLOSED && !isOfLock) log.refusing(why);
    return new NodeUnreachableError(address, why, isOfLock);
  }
}

/** Whether the server itself has refused a command, and would again; after READONLY, the address leads to another one. */
function isFinal(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError' && !isReadOnly(error);
}

/** What the log says of a server without `INFO`. */
function notLookedOver(reply: unknown): string {
  return (
    `votes, but cannot be looked over: ${said(reply)}. Make sure yourself that it is no replica, is given once, and has ` +
    'maxmemory-policy noeviction'
  );
}

function said(reply: unknown): string {
  return reply instanceof Error ? reply.message : `it answers ${JSON.stringify(reply)?.slice(0, 100)}`;
}
