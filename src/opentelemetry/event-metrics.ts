import { metrics } from '@opentelemetry/api';
import type { Clock } from '../clock.js';
import type { MissedEvent, RedlockEventMap, RunEvent } from '../events/events.js';
import { VERSION } from '../version.js';
import { JOB, type LabelOf } from './job-attributes.js';
import type { EndListener } from './run-ends.js';

/** Boundaries of histograms, in seconds: jobs take longer than requests. */
const DURATIONS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800];
const DELAYS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What is counted and measured as it happens. A listener in `telemetry.service.ts` calls each method. */
export class EventMetrics {
  private readonly meter = metrics.getMeter('nestjs-exclusive', VERSION);
  private readonly runs = this.meter.createCounter('nestjs_exclusive.runs', {
    description: 'Runs that ended on this instance, by outcome.',
    unit: '{run}',
  });
  private readonly skips = this.meter.createCounter('nestjs_exclusive.skips', {
    description: 'Calls that this instance did not run, by reason.',
    unit: '{call}',
  });
  private readonly missedTicks = this.meter.createCounter('nestjs_exclusive.missed_ticks', {
    description: 'Ticks that had no complete run, by cause. Counted by the instance that wins the next one.',
    unit: '{tick}',
  });
  private readonly durations = this.meter.createHistogram('nestjs_exclusive.run.duration', {
    description: 'How long runs took.',
    unit: 's',
    advice: { explicitBucketBoundaries: DURATIONS },
  });
  private readonly delays = this.meter.createHistogram('nestjs_exclusive.run.start_delay', {
    description: 'Time from a tick to the start of its run.',
    unit: 's',
    advice: { explicitBucketBoundaries: DELAYS },
  });

  constructor(
    private readonly labelOf: LabelOf,
    private readonly clock: Clock,
  ) {}

  started(event: RunEvent): void {
    const { tick, trigger } = event;
    // A later call in a firing has the tick of the first one.
    if (!tick || trigger === 'call') return;
    const delay = (this.clock.now() - tick.getTime()) / 1000;
    // A timer may fire a few milliseconds early.
    this.delays.record(Math.max(delay, 0), { [JOB.name]: this.labelOf(event), [JOB.trigger]: trigger });
  }

  readonly ended: EndListener = (event, { outcome }) => {
    const attributes = { [JOB.name]: this.labelOf(event), [JOB.outcome]: outcome };
    this.runs.add(1, { ...attributes, [JOB.trigger]: event.trigger });
    this.durations.record(event.duration / 1000, attributes);
  };

  skipped(event: RedlockEventMap['skipped']): void {
    this.skips.add(1, { [JOB.name]: this.labelOf(event), [JOB.skipReason]: event.reason });
  }

  missed(event: MissedEvent): void {
    this.missedTicks.add(event.count, {
      [JOB.name]: this.labelOf(event),
      [JOB.missedCause]: event.cause,
    });
  }
}
