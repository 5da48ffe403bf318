import { once } from 'node:events';
import { Logger } from '@nestjs/common';
import { type Cluster, Redis, type RedisOptions } from 'ioredis';
import { NodeUnreachableError } from '../redlock.errors.js';
import { addressOf } from './address.js';
import { Deadline, type PendingReply } from './deadline.js';
import { readInfo } from './info.js';
import type { Claim, LockNode, NodeReport, Vote } from './lock-node.js';
import { NodeClock } from './node-clock.js';
import { explained, isOfSelect, isReadOnly } from './redis-errors.js';
import { argumentsOf, type ClaimReply, isLate, isPlain, type LateReply, voteOf } from './script-call.js';
import { CLAIM, EXTEND, FREE, RELEASE, type Script, SETTLE } from './scripts.js';

/** How a node is reached, and how long it may take. */
export interface RedisNodeSettings {
  /** How long one answer may take, in milliseconds. */
  readonly nodeTimeout: number;
  /** Shown by `CLIENT LIST` for the connections that we create. */
  readonly connectionName: string;
}

/** A command that could not be delivered, kept for when the server is back. */
interface Owed {
  readonly script: Script;
  readonly claim: Claim;
  readonly until: number;
}

/** How long an undelivered release or settle stays worth delivering, in milliseconds. */
const OWED_FOR = 60_000;
/** How many of them a node keeps: the oldest goes first. */
const OWED_AT_MOST = 10_000;

/** A connection that is silent for this many times `nodeTimeout`, with commands under way, is made anew. */
const HUNG_AFTER = 3;

/** From so many commands under way on, it pays to collect them. */
const MANY = 8;

const logger = new Logger('RedlockModule');

/**
 * One Redis server, Sentinel group or Cluster as a voting node. Answers within `nodeTimeout`, whatever Redis does, and
 * sends nothing while the connection is not ready: what waits in a queue would be claimed late.
 */
export class RedisNode implements LockNode {
  readonly address: string;
  private readonly deadline: Deadline;
  private readonly clock = new NodeClock();
  private readonly owed = new Map<string, Owed>();
  /** What keeps the node from voting, if anything does. */
  private trouble: string | undefined;

  private constructor(
    private readonly client: Redis | Cluster,
    private readonly ours: boolean,
    private readonly settings: RedisNodeSettings,
  ) {
    this.address = addressOf(client);
    this.deadline = new Deadline(settings.nodeTimeout, (error) => this.failure(error));
    client.on('error', this.onError);
    client.on('close', this.onClose);
    client.on('ready', this.onReady);
  }

  /** A node with a connection of its own, made by `open` and ended by `close`. */
  static connecting(options: RedisOptions, settings: RedisNodeSettings): RedisNode {
    const client = new Redis({
      connectTimeout: Math.max(settings.nodeTimeout, 1000),
      connectionName: settings.connectionName.replace(/[^\x21-\x7e]/g, '_'),
      ...options,
      lazyConnect: true,
      // What cannot be answered now is a vote against, now: nothing may be queued and run late.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      socketTimeout: HUNG_AFTER * settings.nodeTimeout,
      // Reconnection without end, soon enough to be back within two seconds.
      retryStrategy: (attempt) => Math.min(attempt * 50, 500),
      // A master that has become a replica: the address may lead to the new master now.
      reconnectOnError: isReadOnly,
    });
    return new RedisNode(client, true, settings);
  }

  /** A node over a connection that the application has, and keeps. */
  static over(client: Redis | Cluster, settings: RedisNodeSettings): RedisNode {
    return new RedisNode(client, false, settings);
  }

  claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
    return this.deadline.within(
      (pending) =>
        isPlain(claim)
          ? this.claimLock(claim, token, ttl, pending)
          : this.ask<ClaimReply>(CLAIM, claim, token, ttl, pending),
      (reply) => this.heard(voteOf(reply)),
      (late) => {
        if (late === 1) void this.release(claim, token).catch(() => {});
      },
    );
  }

  extend(claim: Claim, token: string, ttl: number): Promise<boolean> {
    return this.deadline.within(
      (pending) => this.ask<number>(EXTEND, claim, token, ttl, pending),
      (reply) => this.heard(reply === 1),
    );
  }

  settle(claim: Claim, token: string): Promise<boolean> {
    return this.deliver(SETTLE, claim, token);
  }

  release(claim: Claim, token: string): Promise<boolean> {
    return this.deliver(RELEASE, claim, token);
  }

  async open(): Promise<NodeReport> {
    if (this.client.status === 'wait') this.client.connect().catch(() => {});
    if (this.client.status !== 'ready') await this.connected();
    return this.inspect();
  }

  async close(): Promise<void> {
    this.client.off('error', this.onError).off('close', this.onClose).off('ready', this.onReady);
    if (!this.ours) return;
    this.client.on('error', () => {});
    await this.within(this.client.quit()).catch(() => this.client.disconnect());
  }

  private readonly onError = (error: Error): void => this.note(error.message);

  private readonly onClose = (): void => this.note(this.trouble ?? 'the connection was closed');

  private readonly onReady = (): void => {
    this.note(undefined);
    const now = performance.now();
    for (const [token, { script, claim, until }] of this.owed) {
      this.owed.delete(token);
      if (until > now) void this.deliver(script, claim, token).catch(() => {});
    }
  };

  /** Keeps what is wrong with the node, and logs when that begins and ends, not each time it shows. */
  private note(trouble: string | undefined): void {
    if (trouble !== undefined && this.trouble === undefined) {
      logger.warn(`Node ${this.address} cannot vote: ${trouble}`);
    } else if (trouble === undefined && this.trouble !== undefined) {
      logger.log(`Node ${this.address} votes again`);
    }
    this.trouble = trouble;
  }

  /** Waits until the connection can be used, for as long as one answer may take. */
  private async connected(): Promise<void> {
    const waiting = new AbortController();
    const ready = (): Promise<unknown> => once(this.client, 'ready', { signal: waiting.signal });
    try {
      // A database that is refused is an error of a connection that is ready all the same.
      await this.within(
        ready().catch((error: unknown) => (isOfSelect(error) ? ready() : Promise.reject(error))),
      );
    } finally {
      waiting.abort();
    }
  }

  private async inspect(): Promise<NodeReport> {
    const before = Date.now();
    const asked = performance.now();
    const [seconds, microseconds] = await this.within(this.client.time());
    const time = Number(seconds) * 1000 + Number(microseconds) / 1000;
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
    if (!this.ours || db === 0) return undefined;
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
    if (!this.isReady) return Promise.reject(this.notReady());
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
    if (!pending.isOpen) return Promise.reject(new Error('too late to ask'));
    const asked = performance.now();
    // The servers of a Cluster have clocks of their own.
    const deadline = this.client.isCluster ? 0 : this.clock.after(this.settings.nodeTimeout);
    return this.send<Reply | LateReply>(script, claim, token, ttl, deadline).then((reply) => {
      if (!isLate(reply)) return reply;
      this.clock.note(reply[1], asked);
      return this.ask(script, claim, token, ttl, pending);
    });
  }

  /** A command that must arrive: where it may not have, it is sent when the server is back. */
  private deliver(script: Script, claim: Claim, token: string): Promise<boolean> {
    // The connection may break long after the deadline, so this listens to the reply itself.
    const undelivered = (error: unknown): void => {
      // The same server would answer the same again; after READONLY, the address leads to another one.
      if (error instanceof Error && error.name === 'ReplyError' && !isReadOnly(error)) return;
      this.owed.set(token, { script, claim, until: performance.now() + OWED_FOR });
      if (this.owed.size > OWED_AT_MOST) this.owed.delete(this.owed.keys().next().value ?? '');
    };
    // A lock can be given back even to a server that can grant none, such as one without memory.
    const read = (held: number): boolean => (script === RELEASE ? held === 1 : this.heard(held === 1));
    const what = isPlain(claim) ? FREE : script;
    return this.deadline.within(() => this.send<number>(what, claim, token), read, undefined, undelivered);
  }

  /** @param deadline Until when to carry it out, by the clock of the server; 0: at any time. */
  private send<Reply>(script: Script, claim: Claim, token: string, ttl = 0, deadline = 0): Promise<Reply> {
    if (!this.isReady) return Promise.reject(this.notReady());
    this.batch();
    const values = argumentsOf(script, claim, token, ttl, deadline);
    // In one command: the second half of an extension could come after its run is settled, and take the lock again.
    if (script === EXTEND) return this.client.eval(script.lua, ...values) as Promise<Reply>;
    return this.client.evalsha(script.sha, ...values).catch((error: unknown) => {
      const isUnknown = error instanceof Error && error.message.startsWith('NOSCRIPT');
      if (!isUnknown) throw error;
      return this.client.eval(script.lua, ...values);
    }) as Promise<Reply>;
  }

  /** Whether a command would leave now. */
  private get isReady(): boolean {
    return this.client.status === 'ready';
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
    return new Error(this.trouble ?? 'not connected');
  }

  private heard<Answer>(answer: Answer): Answer {
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
    const silence = this.trouble ?? `no answer within ${this.settings.nodeTimeout} ms`;
    const message = error instanceof Error ? error.message : silence;
    const why = message === this.trouble ? message : explained(message);
    this.note(why);
    return new NodeUnreachableError(this.address, why);
  }
}
