import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type CurrentRun, RedlockService, RunTimeoutError } from '../../src/index.js';
import { start } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';
import { clientOf, useServer } from '../module/redis.js';

const server = useServer();

it('run aborts the signal of a run that takes longer than its maxRuntime, and lets the lock end', async () => {
  const client = clientOf(server.it);
  const logger = new RecordingLogger();
  const app = await start({
    redlock: { nodes: server.it.url, ttl: '1500ms', maxRuntime: '200ms' },
    logger,
  });
  const redlock = app.get(RedlockService);
  const lost: unknown[] = [];
  redlock.on('aborted', ({ error }) => lost.push(error));
  const outcome = await redlock.run('long', async ({ signal }) => {
    await pause(60_000, undefined, { signal }).catch(() => {});
    await expect.poll(() => client.exists('JOB_LOCKER_long'), { timeout: 5000 }).toBe(0);
    return signal.reason as unknown;
  });
  expect(outcome).toEqual({ ran: true, value: expect.any(RunTimeoutError) });
  expect(String(lost[0])).toContain('The run of "long" took longer than its maxRuntime of 200 ms');
  expect(lost).toHaveLength(1);
  const short = await redlock.run('short', async ({ signal }) => signal, { maxRuntime: '1h' });
  expect(short.ran && short.value.aborted).toBe(false);
});

it('a run renews its lock now and changes its ttl by extend, as long as the run goes on', async () => {
  const client = clientOf(server.it);
  const redlock = (await start({ redlock: { nodes: server.it.url } })).get(RedlockService);
  let run: CurrentRun | undefined;
  await redlock.run('extended', async () => {
    run = redlock.current();
    await run?.extend('3m');
    expect(await client.pttl('JOB_LOCKER_extended')).toBeGreaterThan(170_000);
    await run?.extend();
    expect(await client.pttl('JOB_LOCKER_extended')).toBeGreaterThan(170_000);
    await expect(run?.extend('soon' as never)).rejects.toThrow('extend(): ttl must be');
  });
  await expect(run?.extend()).rejects.toThrow('it has been released');
});
