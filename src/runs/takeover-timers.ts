import { Logger } from '@nestjs/common';
import { type Denial, mayComeLater } from '../acquire/outcome.js';
import type { Clock } from '../clock.js';
import { messageOf, quoted } from '../display.js';
import { LONGEST_TIMER } from '../options/duration.js';
import { RunScope } from './run-context.js';
import { type RunRequest, triggerOf } from './run-request.js';

/** How many losers wait to take over the tick, if a node ranks them. */
const TAKEOVER_CANDIDATES = 8;
/** They try at random times within this period, in milliseconds. */
const TAKEOVER_SPREAD = 250;

const logger = new Logger('RedlockModule');

/** When the ticks that other instances have begun are claimed again. */
export class TakeoverTimers {
  private readonly watched = new Set<string>();

  constructor(private readonly clock: Clock) {}

  /**
   * Retries the claim after the holder's lease could have expired. A takeover that was not decided, found the job
   * paused or met another run is retried once per `ttl`.
   */
  watch(request: RunRequest, answer: Denial, again: () => Promise<unknown>): void {
    const { options, past } = request;
    const { lease, rank = 0 } = answer;
    const left = past !== undefined && mayComeLater(answer) ? options.ttl : lease;
    if (options.recover && left !== undefined && rank <= TAKEOVER_CANDIDATES)
      this.later(left, request, again);
  }

  /**
   * Tries again after `delay` milliseconds. A tick that already has a timer gets no second one: several searches of
   * `Recovery` may find the same tick.
   */
  later(delay: number, request: RunRequest, again: () => Promise<unknown>): void {
    const tick = `${request.tick?.at} ${request.name}`;
    if (this.watched.has(tick)) return;
    this.watched.add(tick);
    const retry = (): void => {
      this.watched.delete(tick);
      // The timer has the async context of the call that has lost.
      void RunScope.outside(() => runLoggingError(request, again));
    };
    this.clock.setTimeout(retry, Math.min(delay + Math.random() * TAKEOVER_SPREAD, LONGEST_TIMER)).unref();
  }
}

/** Does a run that no caller waits for, and logs its error. */
export async function runLoggingError(request: RunRequest, run: () => unknown): Promise<void> {
  try {
    await run();
  } catch (error) {
    const why = triggerOf(request) === 'catch-up' ? 'run to catch up' : 'taken over from another instance';
    logger.error(`${quoted(request.name)}, ${why}, failed: ${messageOf(error)}`);
  }
}
