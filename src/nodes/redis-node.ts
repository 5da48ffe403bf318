import { setTimeout as pause } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { NodeUnreachableError } from '../redlock.errors.js';
import { addressOf } from './address.js';
import { Deadline, type PendingReply } from './deadline.js';
import { readInfo } from './info.js';
import type { Claim, LockNode, NodeReport, Vote } from './lock-node.js';
import { NodeClock } from './node-clock.js';
import {
  clientLike,
  milliseconds,
  newClient,
  NotSent,
  RedisConnection,
  type RedisNodeSettings,
} from './redis-connection.js';
import { CLOSED, explained, isReadOnly } from './redis-errors.js';
import { argumentsOf, type ClaimReply, isLate, isPlain, type LateReply, voteOf } from './script-call.js';
import { CLAIM, EXTEND, FREE, RELEASE, type Script, SETTLE } from './scripts.js';

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

const logger = new Logger('RedlockModule');

/**
 * One Redis server, Sentinel group or Cluster as a voting node. Answers within `nodeTimeout`, whatever Redis does, and
 * sends nothing while the connection is not ready.
 */
export class RedisNode implements LockNode {
  readonly address: string;
  private readonly connection: RedisConnection;
  private readonly deadline: Deadline;
  private readonly clock = new NodeClock();
  private readonly owed = new Map<string, Owed>();
  /** Called when nothing is owed any more. */
  private onPaid: () => void = () => {};
  /** What keeps the node from voting, if anything does. */
  private trouble: string | undefined;
  /** The timer after which trouble is logged that has just begun. */
  private warning: NodeJS.Timeout | undefined;

  private constructor(
    client: Redis | Cluster,
    private readonly settings: RedisNodeSettings,
  ) {
    this.address = addressOf(client);
    this.deadline = new Deadline(settings.nodeTimeout, (error) => this.failure(error));
    this.connection = new RedisConnection(client, settings.nodeTimeout, {
      onReady: () => this.onReady(),
      onTrouble: (what) => this.note(what),
      onClose: () => this.note(this.trouble ?? CLOSED, GRACE),
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
          : this.ask<ClaimReply>(CLAIM, claim, token, ttl, pending),
      (reply) => {
        this.paid(token, owed);
        return this.heard(voteOf(reply));
      },
      (late) => {
        this.paid(token, owed);
        this.connection.heard();
        if (late === 1 || late[0] === 'granted') void this.release(claim, token).catch(() => {});
      },
      (error) => {
        if (error instanceof NotSent || isFinal(error)) this.paid(token, owed);
      },
    );
  }

  extend(claim: Claim, token: string, ttl: number): Promise<boolean> {
    return this.deadline.within(
      (pending) => this.ask<number>(EXTEND, claim, token, ttl, pending),
      (reply) => this.heard(reply === 1),
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
    clearTimeout(this.warning);
    // A settle may be on its way over a new connection.
    const { nodeTimeout } = this.settings;
    if (this.owed.size > 0) {
      const paid = new Promise<void>((resolve) => (this.onPaid = resolve));
      await Promise.race([paid, pause(nodeTimeout, undefined, { ref: false })]);
    }
    await this.connection.close();
  }

  private onReady(): void {
    this.note(undefined);
    const now = performance.now();
    // What is delivered is owed again, until it is answered.
    const owed = [...this.owed];
    this.owed.clear();
    for (const [token, { script, claim, until }] of owed) {
      if (until > now) void this.deliver(script, claim, token, true).catch(() => {});
    }
  }

  /**
   * Keeps what is wrong with the node, and logs when that begins and ends, not each time it shows.
   *
   * @param grace How long to wait before it is logged, in milliseconds: what is over by then is not worth a line.
   */
  private note(trouble: string | undefined, grace = 0): void {
    if (trouble === undefined && this.trouble !== undefined) {
      if (this.warning === undefined) logger.log(`Node ${this.address} votes again`);
      clearTimeout(this.warning);
      this.warning = undefined;
    }
    const isNew = this.trouble === undefined;
    this.trouble = trouble;
    if (trouble === undefined || (!isNew && this.warning === undefined)) return;
    if (grace > 0) this.warning ??= setTimeout(() => this.warn(), grace).unref();
    else this.warn();
  }

  private warn(): void {
    clearTimeout(this.warning);
    this.warning = undefined;
    logger.warn(`Node ${this.address} cannot vote: ${this.trouble}`);
  }

  private async connected(): Promise<void> {
    await this.connection.connected().catch((error: unknown) => Promise.reject(this.failure(error)));
  }

  private async usable(): Promise<void> {
    await this.connection.usable().catch((error: unknown) => Promise.reject(this.failure(error)));
  }

  private async inspect(): Promise<NodeReport> {
    const before = Date.now();
    const asked = performance.now();
    const [seconds, microseconds] = await this.within(this.client.time());
    const time = milliseconds(seconds, microseconds);
    const clockOffset = time - (before + Date.now()) / 2;
    this.clock.note(time, asked);
    // The nodes of a Cluster differ in all of what follows.
    if (this.client.isCluster) return { warnings: [], clockOffset };
    const report = { ...readInfo(await this.within(this.client.info())), clockOffset };
    return { ...report, unfit: report.unfit ?? (await this.misplaced(this.client as Redis)) };
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
  private claimLock(claim: Claim, token: string, ttl: number, pending: PendingReply): Promise<ClaimReply> {
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
  private ask<Reply>(
    script: Script,
    claim: Claim,
    token: string,
    ttl: number,
    pending: PendingReply,
  ): Promise<Reply> {
    // Nobody would learn of what it grants, and give it back.
    if (!pending.isOpen) return Promise.reject(new NotSent('too late to ask'));
    const asked = performance.now();
    // The servers of a Cluster have clocks of their own.
    const deadline = this.client.isCluster ? 0 : this.clock.after(this.settings.nodeTimeout);
    return this.send<Reply | LateReply>(script, claim, token, ttl, deadline).then((reply) => {
      if (!isLate(reply)) return reply;
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
    const read = (held: number): boolean => {
      this.paid(token, owed);
      return script === RELEASE ? held === 1 : this.heard(held === 1);
    };
    const what = isPlain(claim) ? FREE : script;
    return this.deadline.within(
      () => this.send<number>(what, claim, token, 0, 0, isWhole),
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
  private send<Reply>(
    script: Script,
    claim: Claim,
    token: string,
    ttl = 0,
    deadline = 0,
    isWhole = script === EXTEND,
  ): Promise<Reply> {
    if (!this.connection.isReady) return Promise.reject(this.notReady());
    this.batch();
    const values = argumentsOf(script, claim, token, ttl, deadline);
    // An extension in one command: its second half could come after its run is settled, and take the lock again.
    if (isWhole) return this.client.eval(script.lua, ...values) as Promise<Reply>;
    return this.client.evalsha(script.sha, ...values).catch((error: unknown) => {
      const isUnknown = error instanceof Error && error.message.startsWith('NOSCRIPT');
      if (!isUnknown) throw error;
      return this.client.eval(script.lua, ...values);
    }) as Promise<Reply>;
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
    return new NotSent(this.trouble ?? 'not connected');
  }

  private heard<Answer>(answer: Answer): Answer {
    this.connection.heard();
    this.note(undefined);
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
    if (error === undefined) {
      const why = this.trouble ?? `no answer within ${this.settings.nodeTimeout} ms`;
      // While it answers others, it is slow, and not away.
      if (this.connection.unanswered()) this.note(why, GRACE);
      return new NodeUnreachableError(this.address, why);
    }
    const message = error instanceof Error ? error.message : 'no error was given';
    // Nothing has been learned of the node.
    if (error instanceof NotSent) return new NodeUnreachableError(this.address, this.trouble ?? message);
    if (isFinal(error)) this.connection.heard();
    const why = message === this.trouble ? message : explained(message);
    // That is noted when it happens; this may be about a connection that has been replaced.
    if (why !== CLOSED) this.note(why);
    return new NodeUnreachableError(this.address, why);
  }
}

/** Whether the server itself has refused a command, and would again; after READONLY, the address leads to another one. */
function isFinal(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError' && !isReadOnly(error);
}
