import { context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  type TracerConfig,
} from '@opentelemetry/sdk-trace-base';
import { afterEach, beforeEach } from 'vitest';

/** Is read when a test asks. */
class ManualReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** Lets spans be made by a tracer of the test's own. */
export function useTracer(config: TracerConfig): void {
  trace.disable();
  trace.setGlobalTracerProvider(new BasicTracerProvider(config));
}

/** The SDK of OpenTelemetry, registered for each test, with what it has collected. */
export function useSdk() {
  let exporter = new InMemorySpanExporter();
  let reader = new ManualReader();

  beforeEach(() => {
    exporter = new InMemorySpanExporter();
    reader = new ManualReader();
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    trace.setGlobalTracerProvider(
      new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
    );
    metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  });
  afterEach(() => {
    trace.disable();
    metrics.disable();
    context.disable();
  });

  return {
    /** The spans that have ended. */
    get spans(): readonly ReadableSpan[] {
      return exporter.getFinishedSpans();
    },

    /** The values of a metric by its attributes, such as `job.name=report job.outcome=finished`; of a histogram, the sums. */
    async values(name: string): Promise<Record<string, number>> {
      const { resourceMetrics, errors } = await reader.collect();
      if (errors.length > 0) throw new Error(String(errors));
      const found = resourceMetrics.scopeMetrics
        .flatMap((scope) => scope.metrics)
        .find(({ descriptor }) => descriptor.name === `nestjs_exclusive.${name}`);
      return Object.fromEntries(
        (found?.dataPoints ?? []).map(({ attributes, value }) => {
          const labels = Object.entries(attributes).map((entry) => entry.join('='));
          return [labels.join(' '), typeof value === 'number' ? value : (value.sum ?? Number.NaN)];
        }),
      );
    },
  };
}
