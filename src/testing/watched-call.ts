import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import type { ExclusiveMethod } from '../decorators/exclusive-method.js';
import type { RedlockEventMap } from '../events/events.js';
import type { SkipReason } from '../runs/run-outcome.js';
import { ExclusiveJobs } from '../services/exclusive-jobs.service.js';
import { RedlockEvents } from '../services/redlock-events.service.js';

/** The current call, across everything that it awaits. */
const calls = new AsyncLocalStorage<WatchedCall>();

/**
 * A call of a decorated method by a `TestFleet`. A decorator above `@Exclusive` may call other jobs first, and may
 * return without calling the method.
 */
export class WatchedCall {
  private hasCalled = false;
  private isGuarded = true;
  /** The event `started` of the run, if one has begun. */
  started: RedlockEventMap['started'] | undefined;
  private skipped: RedlockEventMap['skipped'] | undefined;

  /** @param pattern The pattern in the events of the call. */
  constructor(
    private readonly method: ExclusiveMethod,
    private readonly pattern: string,
  ) {}

  /** Calls `callback`, and watches it. */
  during<Result>(callback: () => Result): Result {
    return calls.run(this, callback);
  }

  /** Whether the routine of the method ran. */
  get ran(): boolean {
    return this.started !== undefined || (this.hasCalled && !this.isGuarded);
  }

  /** Why it did not run, if the method was called. */
  get reason(): SkipReason | undefined {
    return this.hasCalled && !this.started ? this.skipped?.reason : undefined;
  }

  /** A decorated method is called. */
  static called(method: ExclusiveMethod, isGuarded: boolean): void {
    const call = calls.getStore();
    if (call?.method !== method) return;
    call.hasCalled = true;
    call.isGuarded = isGuarded;
  }

  /** An event is emitted. The first run counts, because the method may call itself again in it. */
  static emitted<Name extends keyof RedlockEventMap>(name: Name, event: RedlockEventMap[Name]): void {
    const call = calls.getStore();
    if (!call || !('pattern' in event) || event.pattern !== call.pattern) return;
    if (name === 'started' && call.hasCalled) call.started ??= event as RedlockEventMap['started'];
    // If an earlier call of the same name has lost in this firing, the call of the method loses, too, without an event.
    // So this event may come before the call of the method.
    if (name === 'skipped') call.skipped ??= event as RedlockEventMap['skipped'];
  }
}

/** Tells the current call which decorated methods are called. */
@Injectable()
export class WatchedJobs extends ExclusiveJobs {
  override call(method: ExclusiveMethod, instance: object, args: never[]): unknown {
    WatchedCall.called(method, this.isEnabled);
    return super.call(method, instance, args);
  }
}

/** Tells the current call which events are emitted, whichever import of the module emits them. */
@Injectable()
export class WatchedEvents extends RedlockEvents {
  override emit<Name extends keyof RedlockEventMap>(name: Name, event: RedlockEventMap[Name]): void {
    WatchedCall.emitted(name, event);
    super.emit(name, event);
  }
}
