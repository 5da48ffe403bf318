import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { HUNG_AFTER } from './redis-client.js';
import { isOfReadyCheck, isOfSelect } from './redis-errors.js';
import { milliseconds } from './server-clock.js';
import { Suspicion } from './suspicion.js';

/** What a node wants to know of its connection. */
export interface ConnectionListener {
  /** It can be used, for the first time or again. */
  onReady(): void;
  /** It cannot be used, or has an error. */
  onTrouble(what: string): void;
  /** It was closed, and is being made anew. */
  onClose(): void;
  /** The server said what time it is, in milliseconds since the epoch, when it was asked at `asked`. */
  onTime(time: number, asked: number): void;
}

/** A command that did not leave this process. */
export class NotSent extends Error {}

/** How often a connection that is idle is asked for something, in milliseconds. */
const KEEP_WARM_EVERY = 10_000;

/**
 * A connection of ours to one Redis server, Sentinel group or Cluster. Queues nothing: what waits in a queue would be
 * claimed late.
 *
 * A network can drop an idle connection without a word to either side. So idle connections are kept warm, and where a command
 * meets silence, a second connection is made: if that one is ready before the first says anything, it takes its place.
 */
export class RedisConnection {
  private current: Redis | Cluster;
  /** Whether it has neither been ready yet, nor failed. */
  private isNew = true;
  private isClosed = false;
  /** Whether the server refused the database, so that a lock would be in the first one. */
  private isMisplaced = false;
  private suspicion: Suspicion | undefined;
  private warming: NodeJS.Timeout | undefined;
  /** A server that is only slow is not to get a new connection all the time. */
  private lookAgainAt = Number.NEGATIVE_INFINITY;
  /** When the server was last heard, on the monotonic clock. */
  private lastReply = Number.NEGATIVE_INFINITY;

  /** @param limit How long one answer may take, in milliseconds. */
  constructor(
    client: Redis | Cluster,
    private readonly limit: number,
    private readonly listener: ConnectionListener,
  ) {
    this.current = client;
    this.attach();
  }

  get client(): Redis | Cluster {
    return this.current;
  }

  /** Whether a command would leave now. */
  get isReady(): boolean {
    return (
      !this.isMisplaced &&
      this.current.status === 'ready' &&
      (this.current.isCluster || (this.current as Redis).stream.writable)
    );
  }

  /** Whether `usable` would wait. */
  get isUncertain(): boolean {
    return this.suspicion !== undefined || this.isNew;
  }

  /** Waits for the first connection, or until it is known whether this one is dead. Rejects if there is none. */
  async usable(): Promise<void> {
    const { suspicion } = this;
    if (!suspicion) return this.connected();
    await suspicion.over;
    if (suspicion.wasFutile) throw new NotSent(`no answer within ${this.limit} ms`);
  }

  /** Waits until the connection can be used, for as long as one answer may take. Rejects with what prevents it. */
  async connected(): Promise<void> {
    if (this.current.status === 'wait') this.current.connect().catch(() => {});
    if (this.isReady) return;
    const waiting = AbortSignal.timeout(this.limit);
    const ready = (): Promise<unknown> => once(this.current, 'ready', { signal: waiting });
    try {
      await ready().catch((error: unknown) =>
        isOfSelect(error) || isOfReadyCheck(error) ? ready() : Promise.reject(error as Error),
      );
    } catch (error) {
      throw waiting.aborted ? new NotSent(`no answer within ${this.limit} ms`) : error;
    }
  }

  /** The server has answered something. */
  heard(): void {
    this.lastReply = performance.now();
    this.endSuspicion();
  }

  /** A command was not answered in time. @returns Whether nothing else was heard meanwhile either. */
  unanswered(): boolean {
    if (!this.isReady || this.lastReply >= performance.now() - this.limit) return false;
    void this.lookInto();
    return true;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearInterval(this.warming);
    this.detach();
    if (this.current.status === 'wait') return this.current.disconnect();
    const silence = pause(this.limit, undefined, { ref: false });
    await Promise.race([this.current.quit().catch(() => {}), silence]);
    this.current.disconnect();
  }

  private readonly onReady = (): void => {
    this.isNew = false;
    this.keepWarm();
    this.listener.onReady();
  };
  private readonly onError = (error: Error): void => {
    if (isOfReadyCheck(error)) {
      // ioredis connects anew at once, without the check.
      (this.current.options as RedisOptions).enableReadyCheck = false;
    } else {
      this.isMisplaced ||= isOfSelect(error);
      this.listener.onTrouble(error.message);
    }
  };
  private readonly onClose = (): void => {
    this.isNew = false;
    this.isMisplaced = false;
    this.endSuspicion();
    this.listener.onClose();
  };

  private attach(): void {
    this.current.on('error', this.onError).on('close', this.onClose).on('ready', this.onReady);
  }

  private detach(): void {
    this.current.off('error', this.onError).off('close', this.onClose).off('ready', this.onReady);
    this.current.on('error', () => {});
  }

  /** The connections to single servers: one, or one to each server of a Cluster that has been used. */
  private get connections(): Redis[] {
    return this.current.isCluster ? (this.current as Cluster).nodes() : [this.current as Redis];
  }

  /** From now on, a connection that is idle is asked for the time. */
  private keepWarm(): void {
    if (this.isClosed) return;
    this.warming ??= setInterval(() => {
      if (this.isMisplaced) return this.current.disconnect(true);
      if (!this.isReady || performance.now() - this.lastReply < KEEP_WARM_EVERY / 2) return;
      for (const connection of this.connections) void this.warm(connection);
    }, KEEP_WARM_EVERY).unref();
  }

  private async warm(connection: Redis): Promise<void> {
    if (connection.status !== 'ready') return;
    const asked = performance.now();
    const reply = connection.time().then(
      (time) => {
        this.heard();
        const now = milliseconds(time);
        if (now !== undefined) this.listener.onTime(now, asked);
      },
      // It has said something; or it was closed, which is known by its event.
      () => {},
    );
    const silence = pause(this.limit, 'silence', { ref: false });
    if ((await Promise.race([reply, silence])) === 'silence' && this.isReady) void this.lookInto();
  }

  /** Makes a second connection, which takes the place of the first if it is ready before that one says anything. */
  private async lookInto(): Promise<void> {
    if (this.suspicion || this.isClosed || performance.now() < this.lookAgainAt) return;
    const suspicion = new Suspicion();
    this.suspicion = suspicion;
    const fresh = duplicateOf(this.current);
    fresh.on('error', () => {});
    fresh.connect().catch(() => {});
    const isReady = await Promise.race([
      once(fresh, 'ready').then(
        () => true,
        () => false,
      ),
      suspicion.over.then(() => false),
      pause(this.limit, false, { ref: false }),
    ]);
    if (isReady && this.suspicion === suspicion && !this.isClosed) {
      this.replaceBy(fresh);
    } else {
      fresh.disconnect();
      // The server hangs, or is slow: who has waited gives up, and what is asked from now on may well be answered.
      suspicion.wasFutile = this.suspicion === suspicion;
      if (suspicion.wasFutile) this.suspicion = undefined;
      this.lookAgainAt = performance.now() + HUNG_AFTER * this.limit;
    }
    suspicion.end();
  }

  private replaceBy(fresh: Redis | Cluster): void {
    const dead = this.connections;
    const old = this.current;
    this.detach();
    this.current = fresh;
    this.attach();
    this.suspicion = undefined;
    old.disconnect();
    for (const connection of dead) reset(connection);
    this.onReady();
  }

  private endSuspicion(): void {
    const { suspicion } = this;
    this.suspicion = undefined;
    suspicion?.end();
  }
}

/** Ends a dead connection together with what has not reached the server yet: it must not arrive later. */
function reset({ stream }: Redis): void {
  try {
    stream.resetAndDestroy();
  } catch {
    // Only TCP has a reset.
    stream.destroy();
  }
}

function duplicateOf(client: Redis | Cluster): Redis | Cluster {
  return client.isCluster ? (client as Cluster).duplicate() : (client as Redis).duplicate();
}
