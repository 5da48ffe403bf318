import { context, type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import { errorOf } from '../errors.js';
import type { AroundRun } from '../runs/around-run.js';
import { VERSION } from '../version.js';
import { JOB, type LabelOf } from './job-attributes.js';
import type { EndListener } from './run-ends.js';

/** One root span for each run. A call that is skipped has none. */
export class RunSpans {
  private readonly tracer = trace.getTracer('nestjs-exclusive', VERSION);
  /** The spans of the runs in progress, by run id. */
  private readonly open = new Map<string, Span>();

  constructor(private readonly labelOf: LabelOf) {}

  /** Calls the routine of a run in the context of its span. */
  readonly around: AroundRun = (event, routine) => {
    const { runId, name, tick, instanceId, trigger } = event;
    const span = this.tracer.startSpan(this.labelOf(event), {
      root: true,
      attributes: {
        [JOB.name]: name,
        [JOB.tick]: tick?.toISOString(),
        [JOB.runId]: runId,
        [JOB.instanceId]: instanceId,
        [JOB.trigger]: trigger,
      },
    });
    this.open.set(runId, span);
    context.with(trace.setSpan(context.active(), span), routine);
  };

  readonly end: EndListener = ({ runId }, { outcome, error: thrown }) => {
    const span = this.open.get(runId);
    if (!span) return;
    this.open.delete(runId);
    try {
      span.setAttribute(JOB.outcome, outcome);
      if (outcome === 'finished') return;
      const error = errorOf(thrown);
      span.setAttribute('error.type', error.name);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      span.recordException(error);
    } finally {
      span.end();
    }
  };
}
