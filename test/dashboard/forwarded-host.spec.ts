import { describe, expect, it } from 'vitest';
import { RedlockDashboardModule } from '../../src/dashboard/index.js';
import { startDashboard } from './application.js';
import { FakeRedlock } from './fake-redlock.js';
import { dailyJob } from './records.js';

const PUBLIC = 'public.example:8080';

describe.each(['Express', 'Fastify'] as const)('without TLS, an action on %s', (platform) => {
  /** Asks for an action as a browser does that shows a page of `origin`. Resolves to the status of the answer. */
  const pause = async (origin: string, trustsProxy: boolean): Promise<number> => {
    const redlock = new FakeRedlock(new Map([['report', dailyJob('report', [])]]));
    const dashboard = RedlockDashboardModule.forRoot({ actions: true });
    const url = await startDashboard({ platform, redlock, dashboard, trustsProxy });
    const { status } = await fetch(`${url}/jobs/api/pause`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-redlock-dashboard': '1',
        'x-forwarded-host': PUBLIC,
        origin: origin === 'here' ? url : origin,
      },
      body: JSON.stringify({ name: 'report' }),
    });
    expect(redlock.done).toHaveLength(status === 200 ? 1 : 0);
    return status;
  };

  it('is done if it comes from the host that a trusted proxy names', async () => {
    expect(await pause(`http://${PUBLIC}`, true)).toBe(200);
  });

  it('is refused if it comes from the host that the request itself names', async () => {
    expect(await pause(`http://${PUBLIC}`, false)).toBe(403);
  });

  it('is done if it comes from the host of the request, whichever other one it names', async () => {
    expect(await pause('here', false)).toBe(200);
  });

  it('is refused if it comes from another host than a trusted proxy names', async () => {
    expect(await pause('http://evil.example', true)).toBe(403);
  });
});
