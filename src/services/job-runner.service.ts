import { randomUUID } from 'node:crypto';
import { debuglog } from 'node:util';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { JobKeys } from '../nodes/job-keys.js';
import type { Claim } from '../nodes/lock-node.js';
import { StoreDownError } from '../redlock.errors.js';
import { RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import type { ResolvedJobOptions, ResolvedOptions } from '../redlock.options.js';
import type { Tick } from '../schedule/tick.js';
import { Lease } from './lease.js';
import { LeasedRun } from './leased-run.js';
import { Leases, type Refused, type SkipReason } from './leases.service.js';
import { RedlockEvents, type RunEvent } from './redlock-events.js';
import { type CurrentRun, runContext } from './run-context.js';

/** One call of a job. */
export interface RunRequest {
  readonly name: string;
  /** The tick that the call belongs to, if it does to one. */
  readonly tick: Tick | undefined;
  readonly options: ResolvedJobOptions;
  /** Whether it is for a tick that another instance has begun, and whose lease can have ended. */
  readonly isTakeover?: boolean;
}

/** What became of a run: the value of the routine, or why this instance did not run it. */
export type RunOutcome<T> =
  | {
      /** This instance ran it. */
      readonly ran: true;
      /** What the routine returned, awaited. */
      readonly value: T;
    }
  | {
      /** This instance did not run it. */
      readonly ran: false;
      /** Why not. */
      readonly reason: SkipReason;
    };

/** What `every` is shortened by, for timers that do not keep step: a tenth, and at most this, in milliseconds. */
const EVERY_SLACK = 1000;
/** How long those who come too late are counted, in milliseconds. */
const KEEP_LATE = 10_000;
/** How many of those who lose wait to take the tick over, where somebody counts them. */
const WATCHERS = 8;
/** They come one by one, within this time, in milliseconds. */
const TAKEOVER_SPREAD = 250;

/** Shown with `NODE_DEBUG=nestjs-exclusive`: Nest prints its own debug lines by default, and losing is the normal case. */
const debug = debuglog('nestjs-exclusive');

/** Claims, runs and settles. */
@Injectable()
export class JobRunner {
  private readonly logger = new Logger('RedlockModule');

  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    private readonly leases: Leases,
    private readonly events: RedlockEvents,
  ) {}

  /** Runs `routine` if this instance wins. Rejects with what it throws, or, as `onStoreDown` says, a `StoreDownError`. */
  async run<T>(request: RunRequest, routine: (run: CurrentRun) => T): Promise<RunOutcome<Awaited<T>>> {
    const { name, options } = request;
    const settings = { name, ttl: options.ttl, maxRuntime: options.maxRuntime };
    const answer = await this.leases.take(this.claimOf(request), settings);
    if (answer instanceof Lease) return { ran: true, value: await this.runUnder(answer, request, routine) };
    const isDown = answer.reason === 'store-down';
    if (isDown && options.onStoreDown === 'run') {
      return { ran: true, value: await this.runUnder(this.leases.takeUnguarded(settings), request, routine) };
    }
    // Of a takeover that is not needed there is nothing to say: the tick was skipped when it was lost.
    if (!request.isTakeover) this.skip(request, answer);
    if (isDown && options.onStoreDown === 'throw') throw new StoreDownError(name, answer.causes);
    const { reason, lease, rank = 0 } = answer;
    if (reason === 'elsewhere' && options.recover && lease !== undefined && rank <= WATCHERS) {
      this.watch(request, routine, lease);
    }
    return { ran: false, reason };
  }

  private async runUnder<T>(
    lease: Lease,
    request: RunRequest,
    routine: (run: CurrentRun) => T,
  ): Promise<Awaited<T>> {
    const event = this.eventOf(request);
    lease.onAbort = (reason) => this.lost(reason, event);
    const { nodeTimeout } = this.options;
    const run = new LeasedRun(event, lease, request.tick?.at ?? null, nodeTimeout);
    this.events.emit('started', event);
    const begin = performance.now();
    try {
      const value = await runContext.run(run, () => routine(run));
      this.events.emit('finished', { ...event, duration: performance.now() - begin });
      return value;
    } catch (error) {
      this.events.emit('failed', { ...event, duration: performance.now() - begin, error });
      throw error;
    } finally {
      await lease.end('settle');
    }
  }

  private lost(error: Error, event: RunEvent): void {
    this.logger.warn(error.message);
    this.events.emit('lost', { ...event, error });
  }

  private skip(request: RunRequest, { reason }: Refused): void {
    const { name, tick } = request;
    debug(`Skipped "${name}"${tick ? ` of ${new Date(tick.at).toISOString()}` : ''}: ${reason}`);
    this.events.emit('skipped', { ...this.eventOf(request), reason });
  }

  /** Claims the tick once more when the lease of the instance that runs it can have ended. */
  private watch(request: RunRequest, routine: (run: CurrentRun) => unknown, lease: number): void {
    // Somebody has begun this tick: without a quorum there is no telling that it still needs a run.
    const options = { ...request.options, onStoreDown: 'skip' as const };
    const takeover = { ...request, options, isTakeover: true };
    const again = (): void => {
      this.run(takeover, routine).catch((error: unknown) => {
        this.logger.error(`"${request.name}", taken over from another instance, failed: ${String(error)}`);
      });
    };
    setTimeout(again, lease + Math.random() * TAKEOVER_SPREAD).unref();
  }

  private claimOf({ name, tick, options, isTakeover }: RunRequest): Claim {
    const { overlap, recover } = options;
    const keys = new JobKeys(this.options.keyPrefix, name);
    const every = options.every && Math.ceil(options.every - Math.min(options.every / 10, EVERY_SLACK));
    const late = tick ? KEEP_LATE : every && Math.min(every, KEEP_LATE);
    return {
      lock: overlap === 'allow' ? keys.run(tick ? String(tick.at) : randomUUID()) : keys.lock,
      tick: tick && {
        key: keys.tick(tick.at),
        last: keys.last,
        at: tick.at,
        keep: tick.keep,
        recover,
        isTakeover,
      },
      every: every ? { key: keys.every, keep: every } : undefined,
      // A takeover needs the nodes that know of the tick: the first one may have forgotten it.
      late: late && !isTakeover ? { key: keys.late(tick?.at ?? 'every'), keep: late } : undefined,
    };
  }

  private eventOf({ name, tick }: RunRequest): RunEvent {
    return { name, tick: tick ? new Date(tick.at) : null, instanceId: this.options.instanceId };
  }
}
