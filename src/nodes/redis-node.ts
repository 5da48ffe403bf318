import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
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

/** The states of a connection that has not been ready yet, and has not failed. */
const FIRST_CONNECTION: ReadonlySet<string> = new Set(['wait', 'connecting', 'connect']);

/** How often a connection that is idle is asked for something, in milliseconds. */
const KEEP_WARM_EVERY = 10_000;
/** How long a connection that was closed may take to come back before the log says so, in milliseconds. */
const CLOSE_GRACE = 1000;

/** From so many commands under way on, it pays to collect them. */
const MANY = 8;

/** A command that did not leave this process. */
class NotSent extends Error {}

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
  /** The timer after which trouble is logged that has just begun. */
  private warning: NodeJS.Timeout | undefined;
  private warming: NodeJS.Timeout | undefined;
  /** Whether the connection has been ready before. */
  private wasReady: boolean;
  /** When the server was last heard, on the monotonic clock. */
  private lastReply = Number.NEGATIVE_INFINITY;

  private constructor(
    private readonly client: Redis | Cluster,
    private readonly settings: RedisNodeSettings,
  ) {
    this.address = addressOf(client);
    this.wasReady = client.status === 'ready';
    this.deadline = new Deadline(settings.nodeTimeout, (error) => this.failure(error));
    client.on('error', this.onError);
    client.on('close', this.onClose);
    client.on('ready', this.onReady);
  }

  /** A node with a connection of its own, made by `open` or the first claim, and ended by `close`. */
  static connecting(options: RedisOptions, settings: RedisNodeSettings): RedisNode {
    return new RedisNode(new Redis(connectionOptions(options, settings)), settings);
  }

  /**
   * A node with a connection like that of a client which the application has. The client itself is left alone: it may queue
   * commands, be busy with a blocking one, or be closed before the last lock is released.
   */
  static like(client: Redis | Cluster, settings: RedisNodeSettings): RedisNode {
    if (!client.isCluster) {
      const { connectionName: _theirs, ...options } = (client as Redis).options;
      const own = (client as Redis).duplicate(connectionOptions(options, settings));
      return new RedisNode(own, settings);
    }
    const { options } = client as Cluster;
    const own = (client as Cluster).duplicate([], {
      lazyConnect: true,
      clusterRetryStrategy: retryStrategy,
      redisOptions: { ...options.redisOptions, socketTimeout: HUNG_AFTER * settings.nodeTimeout },
    });
    return new RedisNode(own, settings);
  }

  async claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
    // A lock can be needed before the application has started.
    if (!this.wasReady && FIRST_CONNECTION.has(this.client.status)) await this.connected();
    return this.deadline.within(
      (pending) =>
        isPlain(claim)
          ? this.claimLock(claim, token, ttl, pending)
          : this.ask<ClaimReply>(CLAIM, claim, token, ttl, pending),
      (reply) => this.heard(voteOf(reply)),
      (late) => {
        if (late === 1 || late[0] === 'granted') void this.release(claim, token).catch(() => {});
      },
      // Nobody will hear whether it was granted.
      (error) => error instanceof NotSent || this.keepForLater(error, RELEASE, claim, token),
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
    if (this.client.status !== 'ready') await this.connected();
    this.warming ??= setInterval(() => this.keepWarm(), KEEP_WARM_EVERY).unref();
    return this.inspect();
  }

  async close(): Promise<void> {
    clearInterval(this.warming);
    clearTimeout(this.warning);
    this.client.off('error', this.onError).off('close', this.onClose).off('ready', this.onReady);
    this.client.on('error', () => {});
    if (this.client.status === 'wait') return this.client.disconnect();
    await this.within(this.client.quit()).catch(() => this.client.disconnect());
  }

  private readonly onError = (error: Error): void => this.note(error.message);

  private readonly onClose = (): void => this.note(this.trouble ?? 'the connection was closed', CLOSE_GRACE);

  private readonly onReady = (): void => {
    this.wasReady = true;
    this.note(undefined);
    const now = performance.now();
    for (const [token, { script, claim, until }] of this.owed) {
      this.owed.delete(token);
      if (until > now) void this.deliver(script, claim, token).catch(() => {});
    }
  };

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

  /** Asks each connection that has been idle for something cheap: so the network keeps it, and a dead one is noticed. */
  private keepWarm(): void {
    if (!this.isReady || performance.now() - this.lastReply < KEEP_WARM_EVERY / 2) return;
    for (const connection of this.connections) void this.warm(connection);
  }

  private async warm(connection: Redis): Promise<void> {
    if (connection.status !== 'ready') return;
    const asked = performance.now();
    const reply = connection.time().then(([seconds, microseconds]) => {
      if (!this.client.isCluster) this.clock.note(milliseconds(seconds, microseconds), asked);
    });
    const silence = pause(this.settings.nodeTimeout, 'silence' as const, { ref: false });
    if ((await Promise.race([reply.catch(() => {}), silence])) === 'silence') drop(connection);
    else this.lastReply = performance.now();
  }

  /** The connections to single servers: one, or one to each server of a Cluster that has been used. */
  private get connections(): Redis[] {
    return this.client.isCluster ? (this.client as Cluster).nodes() : [this.client as Redis];
  }

  /** Waits until the connection can be used, for as long as one answer may take. */
  private async connected(): Promise<void> {
    if (this.client.status === 'wait') this.client.connect().catch(() => {});
    if (this.isReady) return;
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

  /** A command that must arrive: where it may not have, it is sent when the server is back. */
  private deliver(script: Script, claim: Claim, token: string): Promise<boolean> {
    // The connection may break long after the deadline, so this listens to the reply itself.
    const undelivered = (error: unknown): void => this.keepForLater(error, script, claim, token);
    // A lock can be given back even to a server that can grant none, such as one without memory.
    const read = (held: number): boolean => (script === RELEASE ? held === 1 : this.heard(held === 1));
    const what = isPlain(claim) ? FREE : script;
    return this.deadline.within(() => this.send<number>(what, claim, token), read, undefined, undelivered);
  }

  /** Keeps a command for when the server is back, unless the server itself has refused it, or what it undoes. */
  private keepForLater(error: unknown, script: Script, claim: Claim, token: string): void {
    // The same server would answer the same again; after READONLY, the address leads to another one.
    if (error instanceof Error && error.name === 'ReplyError' && !isReadOnly(error)) return;
    this.owed.set(token, { script, claim, until: performance.now() + OWED_FOR });
    if (this.owed.size > OWED_AT_MOST) this.owed.delete(this.owed.keys().next().value ?? '');
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
    return new NotSent(this.trouble ?? 'not connected');
  }

  private heard<Answer>(answer: Answer): Answer {
    this.lastReply = performance.now();
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
    if (error === undefined) return this.silence();
    if (error instanceof Error && error.name === 'ReplyError') this.lastReply = performance.now();
    const message = error instanceof Error ? error.message : String(error);
    const why = message === this.trouble ? message : explained(message);
    this.note(why);
    return new NodeUnreachableError(this.address, why);
  }

  /** A connection on which nothing was heard since a command was sent is made anew: the network may have dropped it. */
  private silence(): NodeUnreachableError {
    const { nodeTimeout } = this.settings;
    const why = this.trouble ?? `no answer within ${nodeTimeout} ms`;
    const isDead = this.isReady && this.lastReply < performance.now() - nodeTimeout;
    this.note(why, isDead ? CLOSE_GRACE : 0);
    if (isDead) for (const connection of this.connections) drop(connection);
    return new NodeUnreachableError(this.address, why);
  }
}

/** Ends a connection that is silent, together with what has not reached the server yet: it must not arrive later. */
function drop({ stream }: Redis): void {
  try {
    (stream as Socket).resetAndDestroy();
  } catch {
    // Only TCP has a reset.
    stream.destroy();
  }
}

/** What `TIME` says, in milliseconds since the epoch. */
function milliseconds(seconds: unknown, microseconds: unknown): number {
  return Number(seconds) * 1000 + Number(microseconds) / 1000;
}

/** Reconnection without end, soon enough to be back within two seconds. */
function retryStrategy(attempt: number): number {
  return Math.min(attempt * 50, 500);
}

/** The options of a connection that is only for locks, whatever else `options` say. */
function connectionOptions(options: RedisOptions, settings: RedisNodeSettings): RedisOptions {
  return {
    connectTimeout: Math.max(settings.nodeTimeout, 1000),
    ...options,
    connectionName: options.connectionName ?? settings.connectionName.replace(/[^\x21-\x7e]/g, '_'),
    lazyConnect: true,
    // What cannot be answered now is a vote against, now: nothing may be queued and run late.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    socketTimeout: HUNG_AFTER * settings.nodeTimeout,
    retryStrategy,
    // A master that has become a replica: the address may lead to the new master now.
    reconnectOnError: isReadOnly,
  };
}
