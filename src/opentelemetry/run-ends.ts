import type { Clock } from '../clock.js';
import { quoted } from '../display.js';
import { loggingFailure } from '../in-background.js';
import type { EndedRunEvent, RedlockEventMap } from '../events/events.js';
import type { RedlockEvents } from '../services/redlock-events.service.js';

/** How a run has ended. */
interface RunEnd {
  /** As in its record: `'aborted'` if its signal had aborted, whatever the routine did then. */
  readonly outcome: 'finished' | 'failed' | 'aborted';
  /** What the routine threw; otherwise, why the signal aborted, if it did. */
  readonly error?: unknown;
}

/** Is told of the end of each run. */
export type EndListener = (event: EndedRunEvent, end: RunEnd) => void;

/** Tells of the end of each run, once. */
export class RunEnds {
  /** When the runs in progress began, by run id, on the monotonic clock. */
  private readonly begun = new Map<string, number>();
  /** The event `aborted` of each run in progress whose signal has aborted, by run id. */
  private readonly aborted = new Map<string, RedlockEventMap['aborted']>();
  private readonly forget: readonly (() => void)[];

  /** @param listeners If one of them throws, the error is logged, and the others are told. */
  constructor(
    events: RedlockEvents,
    private readonly clock: Clock,
    private readonly listeners: readonly EndListener[],
  ) {
    this.forget = [
      events.on('started', ({ runId }) => this.begun.set(runId, clock.elapsed())),
      events.on('aborted', (event) => this.aborted.set(event.runId, event)),
      events.on('finished', (event) => {
        const aborted = this.aborted.get(event.runId);
        this.tell(event, aborted ? { outcome: 'aborted', error: aborted.error } : { outcome: 'finished' });
      }),
      events.on('failed', ({ error, ...event }) => {
        this.tell(event, { outcome: this.aborted.has(event.runId) ? 'aborted' : 'failed', error });
      }),
    ];
  }

  /** The application has ended: the runs that have not stopped, all of which have been aborted, end now. */
  cutOff(): void {
    for (const forget of this.forget) forget();
    const now = this.clock.elapsed();
    for (const { error, ...event } of this.aborted.values()) {
      const duration = now - (this.begun.get(event.runId) ?? now);
      this.tell({ ...event, duration }, { outcome: 'aborted', error });
    }
  }

  private tell(event: EndedRunEvent, end: RunEnd): void {
    this.begun.delete(event.runId);
    this.aborted.delete(event.runId);
    for (const listener of this.listeners) {
      void loggingFailure(`Telemetry of ${quoted(event.name)}`, async () => listener(event, end));
    }
  }
}
