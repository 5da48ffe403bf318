import { afterEach, beforeEach, expect, expectTypeOf, it } from 'vitest';
import {
  type CurrentRun,
  MemoryNode,
  RedlockService,
  type RunEvent,
  type SkipReason,
} from '../../src/index.js';
import { start } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';
import { Gate } from './gate.js';

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
beforeEach(() => void process.on('unhandledRejection', note));
afterEach(() => void process.off('unhandledRejection', note));

const EVENTS = ['started', 'finished', 'failed', 'skipped', 'aborted'] as const;

it('tell of each run what became of it, in this order', async () => {
  const redlock = (await start({ redlock: { instanceId: 'me' } })).get(RedlockService);
  const seen: [string, RunEvent][] = [];
  for (const name of EVENTS) redlock.on(name, (event) => seen.push([name, event]));
  const job = { name: 'report', pattern: 'report', tick: null };
  const about = { runId: expect.any(String), ...job, instanceId: 'me', trigger: 'call' };
  const fault = new Error('no paper');

  let current: CurrentRun | undefined;
  const gate = new Gate();
  gate.close();
  const first = redlock.run('report', (run) => {
    current = run;
    return gate.until;
  });
  await redlock.run('report', () => 1);
  gate.open();
  await first;
  await redlock.run('report', () => Promise.reject(fault)).catch(() => {});
  expect(seen).toEqual([
    ['started', about],
    ['skipped', { ...about, reason: 'overlap' }],
    ['finished', { ...about, duration: expect.any(Number) }],
    ['started', about],
    ['failed', { ...about, duration: expect.any(Number), error: fault }],
  ]);
  const [started, skipped, finished, second, failed] = seen.map(([, { runId }]) => runId);
  expect([finished, failed]).toEqual([started, second]);
  expect(new Set([started, skipped, second]).size).toBe(3);
  expect(current?.runId).toBe(started);
});

it('have types of their own', async () => {
  const redlock = (await start({})).get(RedlockService);
  redlock.on('skipped', (event) => expectTypeOf(event.reason).toEqualTypeOf<SkipReason>());
  redlock.on('finished', (event) => expectTypeOf(event.duration).toBeNumber());
  redlock.on('failed', (event) => expectTypeOf(event.error).toBeUnknown());
  redlock.on('aborted', (event) => expectTypeOf(event.error).toEqualTypeOf<Error>());
  redlock.on('started', (event) => expectTypeOf(event.tick).toEqualTypeOf<Date | null>());
  // @ts-expect-error There is no such event.
  expect(() => redlock.on('ended', () => {})).toThrow('on(): event must be');
});

it('are refused where they are unknown, and so is a listener that is not a function', async () => {
  const redlock = (await start({})).get(RedlockService);
  expect(() => redlock.on('skiped' as never, () => {})).toThrow(
    "on(): event must be 'started', 'finished', 'failed', 'skipped', 'aborted', 'missed', 'overdue' or 'drift'; received \"skiped\"",
  );
  for (const listener of [undefined, null, {}, 'log']) {
    expect(() => redlock.on('skipped', listener as never)).toThrow('on(): listener must be a function');
  }
});

it('go on after a listener that throws or rejects, which is logged, and the run is none the worse', async () => {
  const logger = new RecordingLogger();
  const redlock = (await start({ logger })).get(RedlockService);
  let heard = 0;
  for (const name of EVENTS) {
    redlock.on(name, () => {
      throw new Error(`thrown at ${name}`);
    });
    redlock.on(name, () => Promise.reject(new Error(`rejected at ${name}`)));
    // eslint-disable-next-line typescript/only-throw-error
    redlock.on(name, () => Promise.reject(undefined));
    redlock.on(name, () => heard++);
  }
  expect(await redlock.run('report', () => 'result')).toEqual({ ran: true, value: 'result' });
  expect(await redlock.run('report', () => 'again')).toEqual({ ran: true, value: 'again' });
  await new Promise((resolve) => setImmediate(resolve));
  expect(heard).toBe(4);
  expect(logger.at('error').join('\n')).toContain('A listener to "started" failed: Error: thrown at started');
  expect(logger.at('error').join('\n')).toContain('rejected at finished');
  expect(unhandled).toEqual([]);
});

it('have no secret of a listener that fails in the log, but where it failed', async () => {
  const logger = new RecordingLogger();
  const redlock = (await start({ logger })).get(RedlockService);
  redlock.on('started', () => Promise.reject(new Error('refused: password=hunter2')));
  await redlock.run('report', () => 1);
  expect(logger.at('error').join('\n')).toContain('events.unit.spec');
  expect(logger.at('error').join('\n')).not.toContain('hunter2');
});

it('are heard once by a listener that subscribes again when it is called', async () => {
  const redlock = (await start({})).get(RedlockService);
  let heard = 0;
  const subscribe = (): void => {
    const unsubscribe = redlock.on('started', () => {
      unsubscribe();
      // A fault here must fail the test, and not hang it.
      if (++heard < 100) subscribe();
    });
  };
  subscribe();
  await redlock.run('report', () => 1);
  expect(heard).toBe(1);
  await redlock.run('report', () => 1);
  expect(heard).toBe(2);
});

it('are not heard by a listener that an earlier one takes away', async () => {
  const redlock = (await start({})).get(RedlockService);
  const heard: string[] = [];
  redlock.on('started', () => second());
  const second = redlock.on('started', () => heard.push('second'));
  redlock.on('started', () => heard.push('third'));
  await redlock.run('report', () => 1);
  expect(heard).toEqual(['third']);
});

it('are heard by each subscription of one function', async () => {
  const redlock = (await start({})).get(RedlockService);
  let heard = 0;
  const listener = (): void => void heard++;
  const first = redlock.on('started', listener);
  redlock.on('started', listener);
  await redlock.run('report', () => 1);
  expect(heard).toBe(2);
  first();
  first();
  await redlock.run('report', () => 1);
  expect(heard).toBe(3);
});

it('are heard until the listener is taken away, even while they are told', async () => {
  const redlock = (await start({ redlock: { nodes: new MemoryNode() } })).get(RedlockService);
  const heard: string[] = [];
  const first = redlock.on('started', () => {
    heard.push('first');
    first();
  });
  const second = redlock.on('started', () => heard.push('second'));
  await redlock.run('report', () => 1);
  await redlock.run('report', () => 1);
  second();
  second();
  await redlock.run('report', () => 1);
  expect(heard).toEqual(['first', 'second', 'second']);
});
