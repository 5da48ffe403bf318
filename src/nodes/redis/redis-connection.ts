import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import type { Silence } from '../node-driver.js';
import { CLUSTER_CLOSED } from './causes.js';
import { Diagnosis, noAnswer } from './diagnosis.js';
import { HUNG_AFTER, isTls, RETRY_DELAY } from './redis-client.js';
import { isOfReadyCheck, isOfSelect, NotSent } from './redis-errors.js';
import { abandon, prepare, reset, serversOf } from './redis-sockets.js';
import { serverTime } from './server-clock.js';
import { SilentServers } from './silent-servers.js';
import { afterTimeout, openSecond, Suspicion } from './suspicion.js';

/** What a connection tells its node. */
interface ConnectionListener {
  /** The connection can be used, for the first time or again. */
  onReady(): void;
  /** The connection cannot be used, or has an error. */
  onTrouble(what: string): void;
  /** The connection was closed and is being re-established. */
  onClose(why: string): void;
  /** The server's time, in milliseconds since the epoch, in reply to a command sent at `asked` (monotonic clock). */
  onTime(time: number, asked: number): void;
}

/** How often an idle connection is used, in milliseconds. */
const KEEP_WARM_EVERY = 10_000;

/**
 * The module's own connection to one Redis server, Sentinel group or Cluster. Queues nothing: a claim that waits in a
 * queue would be late.
 *
 * A network can drop an idle connection without notifying either side. So idle connections are kept warm, and if a
 * command is not answered, a second connection is opened, which replaces the first if it is ready before the first one
 * answers. In a Cluster, `SilentServers` looks into each server separately.
 */
export class RedisConnection {
  readonly diagnosis: Diagnosis;
  private current: Redis | Cluster;
  /** Whether the first connection has neither become ready nor failed yet. */
  private isNew = true;
  private isClosed = false;
  /** Whether the server refused to select the database, so that locks would be in database 0. */
  private isMisplaced = false;
  /** Each is called when the connection is ready, or with what prevents that. Many claims may wait at once. */
  private readonly waiting = new Set<(error?: Error) => void>();
  private suspicion: Suspicion | undefined;
  /** Set for a Cluster. */
  private readonly servers: SilentServers | undefined;
  private warming: NodeJS.Timeout | undefined;
  /** When a second connection may be opened again, so that a slow server gets few. */
  private lookAgainAt = Number.NEGATIVE_INFINITY;
  /** When the server last answered, on the monotonic clock. */
  private lastReply = Number.NEGATIVE_INFINITY;

  /** @param limit How long one answer may take, in milliseconds. */
  constructor(
    client: Redis | Cluster,
    private readonly limit: number,
    private readonly listener: ConnectionListener,
  ) {
    this.current = client;
    prepare(client);
    if (client.isCluster) this.servers = new SilentServers(client as Cluster, limit);
    this.diagnosis = new Diagnosis(isTls(client), HUNG_AFTER * limit);
    this.attach();
  }

  get client(): Redis | Cluster {
    return this.current;
  }

  /** Whether a command would be sent now. */
  get isReady(): boolean {
    const { current } = this;
    if (this.isMisplaced || current.status !== 'ready') return false;
    return current.isCluster || (current as Redis).stream.writable;
  }

  /**
   * Waits until it is known whether a connection can be used, while the first one is being made, or after a command got
   * no answer; otherwise `undefined`. Rejects if none is ready in time, or none answers.
   */
  usable(): Promise<void> | undefined {
    const { suspicion } = this;
    if (!suspicion) return this.isNew ? this.connected() : undefined;
    return suspicion.over.then(() => {
      if (suspicion.noneAnswered) throw new NotSent(noAnswer(this.limit));
    });
  }

  /** Waits until the connection can be used, at most as long as one answer may take. Rejects with what prevents it. */
  async connected(): Promise<void> {
    if (this.current.status === 'wait') this.current.connect().catch(() => {});
    if (this.isReady) return;
    await new Promise<void>((resolve, reject) => {
      const end = (error?: Error): void => {
        clearTimeout(limit);
        this.waiting.delete(end);
        return error ? reject(error) : resolve();
      };
      const late = (): string => this.diagnosis.ofSilence(this.limit, this.current.status === 'connecting');
      const limit = setTimeout(() => end(new NotSent(late())), this.limit);
      this.waiting.add(end);
    });
  }

  /** The server has answered. */
  heard(): void {
    this.lastReply = performance.now();
    this.endSuspicion();
  }

  /** A command was not answered in time. @param lock What it claims, if it is a claim. */
  unanswered(lock?: string): Silence {
    if (this.servers && this.isReady) return this.servers.unanswered(lock);
    if (!this.isReady || this.lastReply >= performance.now() - this.limit) return 'none';
    void this.lookInto();
    return 'complete';
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearInterval(this.warming);
    this.detach();
    if (this.current.status === 'wait') return this.current.disconnect();
    await Promise.race([this.current.quit().catch(() => {}), pause(this.limit, undefined, { ref: false })]);
    abandon(this.current);
  }

  private readonly onConnect = (): void => {
    if (this.current.isCluster) return;
    this.diagnosis.begin(this.current as Redis, (why) => this.listener.onTrouble(why));
  };
  private readonly onReady = (): void => {
    this.diagnosis.end();
    this.isNew = false;
    this.keepWarm();
    if (!this.isMisplaced) this.listener.onReady();
    for (const end of this.waiting) end();
  };
  private readonly onError = (error: Error): void => {
    if (isOfReadyCheck(error)) {
      // ioredis reconnects at once, without the check.
      (this.current.options as RedisOptions).enableReadyCheck = false;
    } else {
      this.isMisplaced ||= isOfSelect(error);
      const why = this.diagnosis.ofNew(error);
      this.listener.onTrouble(why);
      if (!isOfSelect(error)) for (const end of this.waiting) end(new NotSent(why));
    }
  };
  private readonly onClose = (): void => {
    const why = this.current.isCluster ? CLUSTER_CLOSED : this.diagnosis.ofEnd();
    this.diagnosis.end();
    this.isNew = false;
    this.isMisplaced = false;
    this.endSuspicion();
    this.listener.onClose(why);
  };

  /** ioredis gives up if it reaches no Sentinel, is told of a failover while it connects, or a `Connector` fails. */
  private readonly onEnd = (): void => {
    setTimeout(() => this.isClosed || this.current.connect().catch(() => {}), 5 * RETRY_DELAY).unref();
  };

  private attach(): void {
    this.current.on('connect', this.onConnect).on('ready', this.onReady);
    this.current.on('error', this.onError).on('close', this.onClose).on('end', this.onEnd);
  }

  private detach(): void {
    this.diagnosis.end();
    this.current.off('connect', this.onConnect).off('ready', this.onReady);
    this.current.off('error', this.onError).off('close', this.onClose).off('end', this.onEnd);
  }

  /** From now on, asks the server for its time when the connection is idle. */
  private keepWarm(): void {
    if (this.isClosed) return;
    this.warming ??= setInterval(() => {
      if (this.isMisplaced) return this.current.disconnect(true);
      // In a Cluster, only one of the servers may have replied.
      const isIdle = this.current.isCluster || performance.now() - this.lastReply >= KEEP_WARM_EVERY / 2;
      if (this.isReady && isIdle) for (const each of serversOf(this.current)) void this.warm(each);
    }, KEEP_WARM_EVERY).unref();
  }

  private async warm(connection: Redis): Promise<void> {
    if (connection.status !== 'ready') return;
    const asked = performance.now();
    const reply = connection.time().then(
      (time) => {
        this.heard();
        const now = serverTime(time);
        if (now !== undefined) this.listener.onTime(now, asked);
        return false;
      },
      // An error is an answer, too, unless the connection was closed, which has its own event.
      () => false,
    );
    const isSilent = afterTimeout(this.limit).then(() => true);
    if (!(await Promise.race([reply, isSilent])) || !this.isReady) return;
    void (this.servers?.lookInto(connection) ?? this.lookInto());
  }

  /** Opens a second connection, which replaces the first if it is ready before the first one answers. */
  private async lookInto(): Promise<void> {
    if (this.suspicion || this.isClosed || performance.now() < this.lookAgainAt) return;
    const suspicion = (this.suspicion = new Suspicion());
    const isOver = Promise.race([suspicion.over, afterTimeout(this.limit)]);
    const { fresh, refusal } = await openSecond(this.current as Redis, isOver);
    if (fresh && this.suspicion === suspicion && !this.isClosed) {
      this.replaceBy(fresh);
    } else {
      if (fresh) abandon(fresh);
      if (!refusal) this.lookAgainAt = performance.now() + HUNG_AFTER * this.limit;
      if (this.suspicion === suspicion) {
        this.suspicion = undefined;
        suspicion.noneAnswered = true;
        this.giveUp(refusal);
      }
    }
    suspicion.end();
  }

  /** Neither connection has answered. @param refusal Why no second one can be opened: then the first is kept. */
  private giveUp(refusal?: Error): void {
    if (!refusal) return reset(this.current as Redis);
    const why = `a second connection failed: ${this.diagnosis.of(refusal)}`;
    this.listener.onTrouble(`${noAnswer(this.limit)}; ${why}`);
  }

  private replaceBy(fresh: Redis): void {
    const old = this.current as Redis;
    this.detach();
    this.current = fresh;
    this.attach();
    this.suspicion = undefined;
    reset(old);
    abandon(old);
    this.onReady();
  }

  private endSuspicion(): void {
    this.suspicion?.end();
    this.suspicion = undefined;
  }
}
