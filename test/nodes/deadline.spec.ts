import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisServer } from '../engine/redis-server.js';
import { Deadline } from '../../src/nodes/deadline.js';

const LIMIT = 100;
const same = (value: string): string => value;
const tooLate = (): Error => new Error('too late');
const failed = (error: unknown): Error => error as Error;
const never = (): Promise<string> => new Promise(() => {});
const broken = (): never => {
  throw new Error('broken');
};

/** Nothing of this process runs until a deadline that begins now is over. */
const block = (): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3 * LIMIT);

describe('an answer that came in time', () => {
  let server: RedisServer;
  let client: Redis;
  beforeAll(async () => {
    server = await RedisServer.start();
    client = new Redis(server.url);
    await client.ping();
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  it('is taken, though the event loop was blocked beyond the deadline', async () => {
    const answer = new Deadline(LIMIT, tooLate).within(client.echo('in time'), same, failed);
    block();
    await expect(answer).resolves.toBe('in time');
  });

  it('is taken, though the event loop was blocked again while earlier answers were read', async () => {
    const deadline = new Deadline(LIMIT, tooLate);
    const first = deadline.within(client.echo('first'), same, failed);
    const second = first.then(() => {
      const answer = deadline.within(client.echo('second'), same, failed);
      block();
      return answer;
    });
    block();
    await expect(second).resolves.toBe('second');
  });
});

it('ends each wait at its own time, and hands over what comes late', async () => {
  const deadline = new Deadline(LIMIT, tooLate);
  const begin = performance.now();
  const late: object[] = [];
  const first = deadline.within(
    pause(2 * LIMIT, 'late'),
    (value, isLate) => late.push({ value, isLate }),
    failed,
  );
  await pause(LIMIT / 2);
  const second = deadline.within(never(), same, failed);

  await expect(first).rejects.toThrow('too late');
  expect(performance.now() - begin).toBeGreaterThanOrEqual(LIMIT - 1);
  await expect(second).rejects.toThrow('too late');
  expect(performance.now() - begin).toBeGreaterThanOrEqual(1.5 * LIMIT - 1);
  await expect.poll(() => late).toEqual([{ value: 'late', isLate: true }]);
});

it('rejects where what reads a reply throws, or what is told of a failure', async () => {
  const answers = [
    new Deadline(LIMIT, tooLate).within(Promise.resolve('a'), broken, () => new Error('unread')),
    new Deadline(LIMIT, tooLate).within(Promise.reject(new Error('lost')), same, broken),
    new Deadline(LIMIT, broken).within(never(), same, failed),
  ];
  const outcomes = await Promise.allSettled(answers);
  expect(outcomes.map((outcome) => outcome.status === 'rejected' && String(outcome.reason))).toEqual([
    'Error: unread',
    'Error: broken',
    'Error: broken',
  ]);
});

it('keeps the waits apart that begin when others have ended, late or in time', async () => {
  const deadline = new Deadline(LIMIT, tooLate);
  const outcomes: string[] = [];
  const ask = (name: string, question: Promise<string>): void =>
    void deadline.within(question, same, failed).then(
      () => outcomes.push(`${name} in time`),
      () => outcomes.push(`${name} late`),
    );
  ask('a', Promise.resolve('a'));
  ask('b', never());
  ask('c', Promise.resolve('c'));
  await expect.poll(() => outcomes).toEqual(['a in time', 'c in time', 'b late']);
  ask('d', never());
  ask('e', Promise.resolve('e'));
  await expect.poll(() => outcomes.slice(3)).toEqual(['e in time', 'd late']);
});
