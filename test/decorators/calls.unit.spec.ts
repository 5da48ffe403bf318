import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { describe, expect, it } from 'vitest';
import { Exclusive, MemoryNode, RedlockService } from '../../src/index.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { build, byHand, fire, ONCE_A_YEAR, start, startFleet } from '../module/application.js';

const VALUE = { report: 'done' };
const FAULT = new Error('The printer is on fire');

@Injectable()
class Jobs {
  runs = 0;
  most = 0;
  private going = 0;

  @Exclusive('value') async value(): Promise<typeof VALUE> {
    return VALUE;
  }

  @Exclusive('fault') async fault(): Promise<void> {
    throw FAULT;
  }

  @Exclusive('sync fault') syncFault(): void {
    throw FAULT;
  }

  @Exclusive('alone') async alone(text: string): Promise<string> {
    await this.work();
    return text;
  }

  @Exclusive('together', { overlap: 'allow' }) async together(): Promise<void> {
    await this.work();
  }

  @Cron(ONCE_A_YEAR, byHand('tick'))
  @Exclusive('tick', { overlap: 'allow' })
  async tick(): Promise<void> {
    await this.work();
  }

  @Exclusive('seldom', { every: '1h' }) async seldom(): Promise<void> {
    await this.work();
  }

  @Exclusive('often', { every: 400 }) async often(): Promise<boolean> {
    this.runs++;
    return true;
  }

  private async work(): Promise<void> {
    this.runs++;
    this.most = Math.max(this.most, ++this.going);
    await pause(5);
    this.going--;
  }
}

describe('a call', () => {
  it('resolves to what the method returns, and rejects with what it throws', async () => {
    const jobs = (await start({ providers: [Jobs] })).get(Jobs);
    expect(await jobs.value()).toBe(VALUE);
    expect(await jobs.fault().catch((error: unknown) => error)).toBe(FAULT);
    const call = jobs.syncFault() as unknown as Promise<void>;
    expect(await call.catch((error: unknown) => error)).toBe(FAULT);
  });

  it('that loses resolves to undefined, and the method gets no arguments from it', async () => {
    const jobs = (await start({ providers: [Jobs] })).get(Jobs);
    const calls = ['a', 'b', 'c'].map((text) => jobs.alone(text));
    expect(await Promise.all(calls)).toEqual(['a', undefined, undefined]);
    expect(await jobs.alone('d')).toBe('d');
    expect(jobs).toMatchObject({ runs: 2, most: 1 });
  });

  it('goes ahead while others run, with overlap: allow', async () => {
    const jobs = (await start({ providers: [Jobs] })).get(Jobs);
    await Promise.all([jobs.together(), jobs.together(), jobs.together()]);
    expect(jobs).toMatchObject({ runs: 3, most: 3 });
  });

  it('takes no tick away, and a tick still runs once, with overlap: allow', async () => {
    const apps = await startFleet(2, { redlock: { nodes: new MemoryNode() }, providers: [Jobs] });
    const jobs = apps.map((app) => app.get(Jobs));
    await Promise.all([jobs[0]!.tick(), ...apps.map((app) => fire(app, 'tick')), jobs[1]!.tick()]);
    expect(jobs[0]!.runs + jobs[1]!.runs).toBe(3);
  });

  it('does not run again before the time that every asks for, over the fleet', async () => {
    const apps = await startFleet(2, { redlock: { nodes: new MemoryNode() }, providers: [Jobs] });
    const reasons: string[] = [];
    for (const app of apps) app.get(RedlockService).on('skipped', ({ reason }) => reasons.push(reason));
    for (const app of [...apps, ...apps]) await app.get(Jobs).seldom();
    expect(apps.map((app) => app.get(Jobs).runs)).toEqual([1, 0]);
    expect(reasons).toEqual(['settled', 'settled', 'settled']);
  });

  it('runs again after the time that every asks for', async () => {
    const clock = new ManualClock();
    const nodes = new MemoryNode(clock.now);
    const jobs = (await start({ redlock: { nodes }, providers: [Jobs], clock })).get(Jobs);
    expect(await jobs.often()).toBe(true);
    // Less a tenth, because no two timers are alike.
    await clock.advance(359);
    expect(await jobs.often()).toBeUndefined();
    await clock.advance(1);
    expect(await jobs.often()).toBe(true);
  });

  it('cannot be made on an object that Nest did not create, or on none, and says so', async () => {
    const jobs = (await start({ providers: [Jobs] })).get(Jobs);
    const value: (this: unknown) => Promise<unknown> = Reflect.get(jobs, 'value');
    const message = /^Jobs\.value was called on an object that Nest did not create/;
    await expect(async () => value.call(undefined)).rejects.toThrow(message);
    await expect(async () => new Jobs().value()).rejects.toThrow(message);
    await expect(async () => new Jobs().value()).rejects.toMatchObject({ code: 'ERR_NOT_INJECTED' });
    await expect(async () => value.call('text')).rejects.toThrow(message);
  });
});

describe('two applications in one process', () => {
  it('know nothing of each other where each has a memory of its own', async () => {
    const apps = await startFleet(2, { providers: [Jobs] });
    const calls = apps.map((app, index) => app.get(Jobs).alone(`app ${index}`));
    expect(await Promise.all(calls)).toEqual(['app 0', 'app 1']);
  });

  it('exclude each other where they share one', async () => {
    const apps = await startFleet(2, { redlock: { nodes: new MemoryNode() }, providers: [Jobs] });
    const calls = apps.map((app, index) => app.get(Jobs).alone(`app ${index}`));
    expect(await Promise.all(calls)).toEqual(['app 0', undefined]);
  });

  it('can have different options: the one that is not enabled runs all, and excludes nobody', async () => {
    const memory = new MemoryNode();
    const on = (await start({ redlock: { nodes: memory }, providers: [Jobs] })).get(Jobs);
    const app = await start({ redlock: { nodes: memory, enabled: false }, providers: [Jobs] });
    const off = app.get(Jobs);
    const calls = [off.alone('a'), off.alone('b'), on.alone('c'), on.alone('d'), off.alone('e')];
    expect(await Promise.all(calls)).toEqual(['a', 'b', 'c', undefined, 'e']);
    await fire(app, 'tick');
    await fire(app, 'tick');
    for (let times = 0; times < 3; times++) await off.seldom();
    expect(off.runs).toBe(3 + 2 + 3);
    expect(await off.fault().catch((error: unknown) => error)).toBe(FAULT);
  });
});

describe('without RedlockModule', () => {
  it('the application does not start, and the message says what to add', async () => {
    const error = await build({ redlock: null, providers: [Jobs] }).catch((reason: unknown) => reason);
    expect(String(error)).toContain('add RedlockModule.forRoot(...) to the imports of AppModule');
    expect(String(error)).toContain('Jobs');
  });
});
