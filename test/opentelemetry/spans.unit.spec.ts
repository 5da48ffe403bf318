import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { type EndedRunEvent, RedlockService } from '../../src/index.js';
import { Jobs, lasting, NOON, startFleet, work } from './application.js';
import { useSdk } from './sdk.js';

const sdk = useSdk();
const TEN_PAST = new Date(NOON + 600_000);

describe('the span of a run', () => {
  it('is a root span on the instance that wins, and the others have none', async () => {
    const fleet = await startFleet(3);
    const ended: EndedRunEvent[] = [];
    for (const app of fleet.instances) app.get(RedlockService).on('finished', (event) => ended.push(event));
    await fleet.fire('report');
    expect(sdk.spans).toHaveLength(1);
    const [span] = sdk.spans;
    expect(span).toMatchObject({ name: 'report', kind: SpanKind.INTERNAL, links: [], ended: true });
    expect(span?.parentSpanContext).toBeUndefined();
    expect(span?.status).toEqual({ code: SpanStatusCode.UNSET });
    expect(span?.instrumentationScope.name).toBe('nestjs-exclusive');
    expect(span?.attributes).toEqual({
      'job.name': 'report',
      'job.tick': TEN_PAST.toISOString(),
      'job.run.id': ended[0]?.runId,
      'job.instance.id': ended[0]?.instanceId,
      'job.trigger': 'schedule',
      'job.outcome': 'finished',
    });
  });

  it('is the parent of the spans of its routine, across what that awaits', async () => {
    const fleet = await startFleet(1);
    work.job = async () => {
      await Promise.resolve();
      trace.getTracer('test').startSpan('query').end();
    };
    await fleet.fire('report');
    const [query, run] = sdk.spans;
    expect([query?.name, run?.name]).toEqual(['query', 'report']);
    expect(query?.parentSpanContext?.spanId).toBe(run?.spanContext().spanId);
  });

  it('has no parent in a request that has a span', async () => {
    const fleet = await startFleet(1);
    const request = trace.getTracer('test').startSpan('GET /reports');
    const call = () => fleet.instances[0]?.get(Jobs).report();
    await context.with(trace.setSpan(context.active(), request), call);
    const [run] = sdk.spans;
    expect(run?.parentSpanContext).toBeUndefined();
    expect(run?.spanContext().traceId).not.toBe(request.spanContext().traceId);
    expect(run?.attributes).toMatchObject({ 'job.name': 'report', 'job.trigger': 'call' });
    expect(run?.attributes).not.toHaveProperty('job.tick');
  });

  it('tells what the routine threw', async () => {
    const fleet = await startFleet(1);
    work.job = () => Promise.reject(new TypeError('no paper'));
    await fleet.fire('report');
    const [run] = sdk.spans;
    expect(run?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'no paper' });
    expect(run?.attributes).toMatchObject({ 'job.outcome': 'failed', 'error.type': 'TypeError' });
    expect(run?.events).toMatchObject([
      { name: 'exception', attributes: { 'exception.message': 'no paper' } },
    ]);
  });

  it('tells why the signal aborted, even if the routine then returned', async () => {
    const fleet = await startFleet(1, {}, { maxRuntime: '1m' });
    const end = lasting();
    const fired = fleet.fire('report');
    await fleet.advance('11m');
    expect(sdk.spans).toEqual([]);
    end();
    await fired;
    const [run] = sdk.spans;
    expect(run?.status.code).toBe(SpanStatusCode.ERROR);
    expect(run?.attributes).toMatchObject({ 'job.outcome': 'aborted', 'error.type': 'RunTimeoutError' });
  });

  it.each([
    [undefined, 'Jobs.import(…)'],
    [{ tenants: true }, 'import:acme'],
  ])('of a method with a name function has, with the options %j, the name %s', async (options, name) => {
    const fleet = await startFleet(1, options);
    await fleet.instances[0]?.get(Jobs).import('acme');
    expect(sdk.spans.map((span) => [span.name, span.attributes['job.name']])).toEqual([
      [name, 'import:acme'],
    ]);
  });
});
