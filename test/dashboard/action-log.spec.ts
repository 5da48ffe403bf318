import { Logger } from '@nestjs/common';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { RedlockDashboardModule } from '../../src/dashboard/index.js';
import { startDashboard } from './application.js';
import { FakeRedlock } from './fake-redlock.js';
import { dailyJob } from './records.js';

afterEach(() => vi.restoreAllMocks());

describe('an action leaves a line in the log', () => {
  it.each([
    ['pause', { name: 'report' }, false, 'log', 'Dashboard request to pause "report": paused'],
    [
      'pause',
      { name: 'report' },
      true,
      'warn',
      'Dashboard request to pause "report" failed: StoreDownError: ',
    ],
    ['pause', [], false, 'warn', 'Dashboard request to pause undefined failed: InvalidOptionError: '],
    [
      're%0Adrop',
      { name: {} },
      false,
      'warn',
      'Dashboard request to re\\ndrop an object failed: InvalidOption',
    ],
  ] as const)('%s of %o; without a quorum: %s', async (action, body, isDown, level, line) => {
    const lines = vi.spyOn(Logger.prototype, level);
    const redlock = new FakeRedlock(new Map([['report', dailyJob('report', [])]]));
    redlock.isDown = isDown;
    const dashboard = RedlockDashboardModule.forRoot({ actions: true });
    const url = await startDashboard({ platform: 'Express', redlock, dashboard });
    await fetch(`${url}/jobs/api/${action}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-redlock-dashboard': '1' },
      body: JSON.stringify(body),
    });
    const texts = lines.mock.calls
      .map(([text]) => String(text))
      .filter((text) => text.includes('request to'));
    expect(texts).toEqual([expect.stringContaining(line)]);
  });

  it('that says what is missing if no body parser is active', async () => {
    const warned = vi.spyOn(Logger.prototype, 'warn');
    const redlock = new FakeRedlock(new Map());
    const dashboard = RedlockDashboardModule.forRoot({ actions: true });
    const nest = { bodyParser: false };
    const url = await startDashboard({ platform: 'Express', redlock, dashboard, nest });
    const { status } = await fetch(`${url}/jobs/api/pause`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-redlock-dashboard': '1' },
      body: '{"name":"report"}',
    });
    expect(status).toBe(400);
    expect(warned).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining('is a JSON body parser active for this path'),
    );
  });
});
