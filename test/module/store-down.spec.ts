import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Exclusive, NodeUnreachableError, RedlockService, StoreDownError } from '../../src/index.js';
import { type RedisServer, startServers } from '../engine/redis-server.js';
import { byHand, fire, ONCE_A_YEAR, start } from './application.js';
import { RecordingLogger } from './recording-logger.js';

@Injectable()
class Jobs {
  readonly runs: string[] = [];

  @Cron(ONCE_A_YEAR, byHand('skip')) @Exclusive('skip') async skip(): Promise<string> {
    return this.note('skip');
  }

  @Cron(ONCE_A_YEAR, byHand('run')) @Exclusive('run', { onStoreDown: 'run' }) async run(): Promise<string> {
    return this.note('run');
  }

  @Exclusive('throw', { onStoreDown: 'throw' }) async throw(): Promise<string> {
    return this.note('throw');
  }

  private note(name: string): string {
    this.runs.push(name);
    return name;
  }
}

let servers: RedisServer[];
beforeEach(async () => void (servers = await startServers(3)));
afterEach(() => Promise.all(servers.map((server) => server.stop())));

const urls = (): string[] => servers.map(({ url }) => url);
const addresses = (): string[] => servers.map(({ port }) => `127.0.0.1:${port}`);

describe('an application that starts while all nodes are down', () => {
  beforeEach(() => Promise.all(servers.map((server) => server.kill())));

  it('starts, warns with the address of each, and its jobs do what onStoreDown says', async () => {
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: urls() }, providers: [Jobs], logger });
    const warnings = logger.at('warn').join('\n');
    for (const address of addresses()) expect(warnings).toContain(address);
    expect(warnings).toContain('ECONNREFUSED');

    const jobs = app.get(Jobs);
    const redlock = app.get(RedlockService);
    const skipped: string[] = [];
    redlock.on('skipped', ({ name, reason }) => skipped.push(`${name}: ${reason}`));
    const before = logger.at('warn').length;
    expect(await jobs.skip()).toBeUndefined();
    expect(await jobs.run()).toBe('run');
    const error = await jobs.throw().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StoreDownError);
    expect((error as StoreDownError).causes).toHaveLength(3);
    for (const cause of (error as StoreDownError).causes) expect(cause).toBeInstanceOf(NodeUnreachableError);
    for (const address of addresses()) expect(String(error)).toContain(address);
    expect(await redlock.lock('lock')).toBeNull();
    expect(jobs.runs).toEqual(['run']);
    expect(skipped).toEqual(['skip: store-down', 'throw: store-down']);
    // One warning for the change of state, and not one for each call.
    expect(logger.at('warn').length - before).toBeLessThanOrEqual(1);
  });

  it('goes on by itself within two seconds when they are back, and runs nothing late', async () => {
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: urls() }, providers: [Jobs], logger });
    const jobs = app.get(Jobs);
    await fire(app, 'skip');
    await pause(700);
    await Promise.all(servers.map((server) => server.restart()));
    const back = performance.now();
    await pause(50);
    expect(jobs.runs).toEqual([]);
    await expect.poll(() => jobs.skip(), { timeout: 10_000, interval: 25 }).toBe('skip');
    expect(performance.now() - back).toBeLessThan(2000);
    for (const address of addresses()) expect(logger.at('log').join('\n')).toContain(address);
    jobs.runs.length = 0;
    await fire(app, 'skip');
    expect(jobs.runs).toEqual(['skip']);
  });
});

describe('an application whose nodes', () => {
  it('are down in a minority starts, warns of that one, and runs', async () => {
    await servers[2]!.kill();
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: urls() }, providers: [Jobs], logger });
    expect(await app.get(Jobs).throw()).toBe('throw');
    const warnings = logger.at('warn').join('\n');
    expect(warnings).toContain(addresses()[2]);
    for (const address of addresses().slice(0, 2)) expect(warnings).not.toContain(address);
  });

  it('hang in a majority decides within nodeTimeout and a little', async () => {
    const app = await start({ redlock: { nodes: urls() }, providers: [Jobs] });
    for (const server of servers.slice(0, 2)) server.pause();
    const begin = performance.now();
    await expect(app.get(Jobs).throw()).rejects.toThrow(StoreDownError);
    expect(performance.now() - begin).toBeLessThan(1500);
    for (const server of servers) server.resume();
    await expect
      .poll(
        () =>
          app
            .get(Jobs)
            .throw()
            .catch(() => 'down'),
        { timeout: 5000 },
      )
      .toBe('throw');
  });

  it('all die in mid-run lets the run end, and its result stands', async () => {
    const logger = new RecordingLogger();
    const app = await start({ redlock: { nodes: urls() }, providers: [Jobs], logger });
    const outcome = app.get(RedlockService).run('long', async () => {
      await Promise.all(servers.map((server) => server.kill()));
      return 'result';
    });
    expect(await outcome).toEqual({ ran: true, value: 'result' });
    const warnings = logger.at('warn').filter((warning) => warning.includes('could not be released'));
    expect(warnings).toEqual([expect.stringContaining('"long"')]);
    // The answer of the third node is not waited for.
    expect(warnings[0]).toMatch(/: Node 127.0.0.1:\d+: .*; Node 127.0.0.1:\d+: /);
  });
});
