import { type Context, context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import type { SpanProcessor } from '@opentelemetry/sdk-trace-base';
import { describe, expect, it, vi } from 'vitest';
import { RedlockService } from '../../src/index.js';
import { Jobs, log, startFleet, work } from './application.js';
import { useSdk, useTracer } from './sdk.js';

const sdk = useSdk();
const fail = (): never => {
  throw new Error('no collector');
};
const processor = (hooks: Partial<SpanProcessor>): SpanProcessor => ({
  onStart: () => {},
  onEnd: () => {},
  forceFlush: async () => {},
  shutdown: async () => {},
  ...hooks,
});

/** Fails before it calls anything, or once that has returned. */
class FailingContexts extends AsyncLocalStorageContextManager {
  constructor(private readonly when: 'before' | 'after') {
    super();
  }

  override with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    routine: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    if (this.when === 'after') super.with(active, routine, thisArg, ...args);
    return fail();
  }
}

const useContexts = (when: 'before' | 'after'): void => {
  context.disable();
  context.setGlobalContextManager(new FailingContexts(when));
};

describe('telemetry that throws', () => {
  it.each<[where: string, set: () => void]>([
    ['when a span starts', () => useTracer({ spanProcessors: [processor({ onStart: fail })] })],
    [
      'when a span is sampled',
      () => useTracer({ sampler: { shouldSample: fail, toString: () => 'failing' } }),
    ],
    ['when a span ends', () => useTracer({ spanProcessors: [processor({ onEnd: fail })] })],
    ['when the routine is to be called', () => useContexts('before')],
    ['when the routine has been called', () => useContexts('after')],
  ])('%s is logged, and the job runs once, and fails only by itself', async (_where, set) => {
    set();
    const fleet = await startFleet(1);
    let runs = 0;
    work.job = () => ++runs;
    expect(await fleet.fire('report')).toMatchObject([
      { ran: true, value: 1, record: { outcome: 'finished' } },
    ]);
    const fault = new Error('no paper');
    work.job = () => {
      throw fault;
    };
    const [failed] = await fleet.fire('report');
    expect(failed?.error).toBe(fault);
    expect(failed?.record).toMatchObject({ outcome: 'failed', error: 'Error: no paper' });
    expect(log.at('error').join('\n')).toContain('Telemetry of "report" failed: Error: no collector');
    expect(Object.values(await sdk.values('runs'))).toEqual([1, 1]);
  });

  it('when the application shuts down does not keep it from closing', async () => {
    useTracer({ spanProcessors: [processor({ onEnd: fail })] });
    const fleet = await startFleet(1, {}, { shutdownTimeout: 1 });
    work.job = () => new Promise(() => {});
    void fleet.instances[0]?.get(Jobs).report();
    await fleet.advance('1s');
    // The run gets a second to stop.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const closed = fleet.close().then(() => 'closed');
    try {
      while ((await Promise.race([closed, vi.advanceTimersByTimeAsync(100)])) !== 'closed');
    } finally {
      vi.useRealTimers();
    }
    expect(Object.values(await sdk.values('runs'))).toEqual([1]);
  });
});

describe('the span of a run that throws something strange', () => {
  const revoked = Proxy.revocable(new Error('gone'), {});
  revoked.revoke();
  const withGetter = (property: string): Error =>
    Object.defineProperty(new Error('odd'), property, { get: fail });

  it.each<[what: string, thrown: unknown, message: string]>([
    ['nothing', null, 'null'],
    ['a string', 'boom', 'boom'],
    ['a symbol', Symbol('boom'), 'a symbol'],
    ['an object without a prototype', Object.create(null), 'an object'],
    ['an object that cannot be a string', { toString: fail }, 'an object'],
    ['a revoked proxy', revoked.proxy, 'an error that cannot be read'],
    ['an error without a readable message', withGetter('message'), 'an error that cannot be read'],
    ['an error without a readable name', withGetter('name'), 'an error that cannot be read'],
    ['an error without a readable stack', withGetter('stack'), 'odd'],
    [
      'an error with a symbol as its message',
      Object.assign(new Error(), { message: Symbol('odd') }),
      'an error that cannot be read',
    ],
  ])('ends: %s', async (_what, thrown, message) => {
    const fleet = await startFleet(1);
    work.job = () => Promise.reject(thrown);
    await fleet.fire('report');
    const [span] = sdk.spans;
    expect(span?.attributes).toMatchObject({ 'job.outcome': 'failed', 'error.type': 'Error' });
    expect(span?.status.message).toBe(message);
    const [record] = (await fleet.instances[0]?.get(RedlockService).history('report')) ?? [];
    expect(record?.error?.replace('Error: ', '')).toBe(message);
  });
});
