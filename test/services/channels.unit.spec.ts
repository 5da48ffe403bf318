import { channel, subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Exclusive, RedlockService, type RunEvent } from '../../src/index.js';
import { byHand, fire, newYear, ONCE_A_YEAR, start } from '../module/application.js';

@Injectable()
class Jobs {
  @Cron(ONCE_A_YEAR, byHand('report')) @Exclusive('report') async report(): Promise<string> {
    return 'sent';
  }
}

const EVENTS = ['started', 'finished', 'failed', 'skipped', 'aborted'] as const;

describe('the diagnostics channels', () => {
  it('carry every event, as its listeners get it, and nothing once nobody subscribes', async () => {
    const seen: [name: string, event: unknown][] = [];
    const heard: typeof seen = [];
    const app = await start({ providers: [Jobs] });
    const redlock = app.get(RedlockService);
    const note = (message: unknown, from: string | symbol): void => void seen.push([String(from), message]);
    for (const name of EVENTS) {
      redlock.on(name, (event) => heard.push([`nestjs-exclusive:${name}`, event]));
      subscribe(`nestjs-exclusive:${name}`, note);
    }
    await fire(app, 'report');
    await fire(app, 'report');
    await redlock.run('import', () => Promise.reject(new Error('no file'))).catch(() => {});
    expect(seen.map(([name]) => name.replace('nestjs-exclusive:', ''))).toEqual([
      'started',
      'finished',
      'skipped',
      'started',
      'failed',
    ]);
    expect(seen).toEqual(heard);
    for (const name of EVENTS) unsubscribe(`nestjs-exclusive:${name}`, note);
    expect(EVENTS.some((name) => channel(`nestjs-exclusive:${name}`).hasSubscribers)).toBe(false);
  });

  it('trace each run, and no call that is skipped', async () => {
    const app = await start({ providers: [Jobs] });
    const redlock = app.get(RedlockService);
    const steps: string[] = [];
    const contexts = new Set<object>();
    const note = (step: string) => (context: object) => {
      steps.push(step);
      contexts.add(context);
    };
    const runs = tracingChannel<string, RunEvent & { result?: unknown; error?: unknown }>(
      'nestjs-exclusive:run',
    );
    const handlers = {
      start: note('start'),
      end: note('end'),
      asyncStart: note('asyncStart'),
      asyncEnd: note('asyncEnd'),
      error: note('error'),
    };
    runs.subscribe(handlers);
    onTestFinished(() => runs.unsubscribe(handlers));

    await fire(app, 'report');
    await fire(app, 'report');
    expect(steps).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
    expect([...contexts]).toMatchObject([{ name: 'report', tick: newYear(), result: 'sent' }]);

    steps.length = 0;
    const failure = new Error('no file');
    const failing = redlock.run('import', () => {
      throw failure;
    });
    await expect(failing).rejects.toBe(failure);
    expect(steps).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
    expect([...contexts].at(-1)).toMatchObject({ name: 'import', tick: null, error: failure });
  });
});
