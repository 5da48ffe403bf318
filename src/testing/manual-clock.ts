import { AsyncResource } from 'node:async_hooks';
import * as timers from 'node:timers';
import type { Clock, Timer } from '../clock.js';

/** The real one, even if a test framework has replaced the global, or will replace it, with a fake that never fires. */
const { setImmediate: whenIdle } = timers;

/** Resolves once all promises that wait for nothing but each other have settled. */
const settled = (): Promise<void> => new Promise((resolve) => void whenIdle(resolve));

class ManualTimer extends AsyncResource implements Timer {
  isUnref = false;

  constructor(
    readonly at: number,
    private readonly callback: () => void,
  ) {
    super('ManualTimer');
  }

  /** Calls back in the async context in which the timer was set, as Node.js does. */
  fire(): void {
    this.runInAsyncScope(this.callback);
  }

  unref(): this {
    this.isUnref = true;
    return this;
  }
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  private time = 0;
  private readonly timers = new Set<ManualTimer>();
  /** How many turns are awaited. */
  private turns = 0;
  /** Called when the next timer is set. */
  private readonly onTimer = new Set<() => void>();

  /** @param start The initial time, in milliseconds since the epoch. */
  constructor(private readonly start = Date.UTC(2031, 4, 7, 9, 30)) {}

  readonly now = (): number => this.start + this.time;

  readonly elapsed = (): number => this.time;

  setTimeout(callback: () => void, delay: number): Timer {
    const timer = new ManualTimer(this.time + Math.max(1, Math.ceil(delay)), callback);
    this.timers.add(timer);
    for (const wake of this.onTimer) wake();
    this.onTimer.clear();
    return timer;
  }

  clearTimeout(timer: Timer | undefined): void {
    if (timer instanceof ManualTimer) this.timers.delete(timer);
  }

  /** Gives all turns at once, unlike `turns.ts`: nothing else needs the event loop while the clock stands still. */
  async turn(): Promise<void> {
    this.turns++;
    await settled();
    this.turns--;
  }

  /** Resolves once nothing more can happen until a timer fires, or something outside the process answers. */
  async idle(): Promise<void> {
    do await settled();
    while (this.turns > 0);
  }

  /**
   * Lets time pass. The timers that come due fire in order, each after the work that the previous one has caused,
   * unless that waits for a timer, or for something outside the process.
   *
   * @param duration In milliseconds.
   */
  async advance(duration: number): Promise<void> {
    const end = this.time + duration;
    await this.idle();
    for (let timer = this.first(end); timer; timer = this.first(end)) {
      this.timers.delete(timer);
      this.time = Math.max(this.time, timer.at);
      timer.fire();
      await this.idle();
    }
    this.time = Math.max(this.time, end);
  }

  /**
   * Lets time pass until `work` is over, but only while a timer is pending that would keep a process alive. Other
   * timers, such as that of a renewal, are no reason to move the clock, because nothing waits for them.
   */
  async until<T>(work: Promise<T>): Promise<T> {
    const over = Promise.allSettled([work]).then(() => true);
    const isOver = (): Promise<boolean> => Promise.race([over, this.idle().then(() => false)]);
    while (!(await isOver())) {
      const next = this.first();
      if (next && this.isAwaited) await this.advance(next.at - this.time);
      else await Promise.race([over, new Promise<void>((resolve) => this.onTimer.add(resolve))]);
    }
    return work;
  }

  /** The process stands still: time passes, and timers that come due meanwhile fire with the next `advance`. */
  freeze(duration: number): void {
    this.time += duration;
  }

  /** Whether a timer is pending that would keep a process alive. */
  private get isAwaited(): boolean {
    return [...this.timers].some(({ isUnref }) => !isUnref);
  }

  /** The timer that comes due first, up to `limit`. */
  private first(limit = Number.POSITIVE_INFINITY): ManualTimer | undefined {
    let first: ManualTimer | undefined;
    for (const timer of this.timers) {
      if (timer.at <= limit && !(first && first.at <= timer.at)) first = timer;
    }
    return first;
  }
}
