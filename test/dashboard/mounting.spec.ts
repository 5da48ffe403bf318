import { type CanActivate, type ExecutionContext, Injectable, Module } from '@nestjs/common';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { RedlockDashboardModule } from '../../src/dashboard/index.js';
import { startDashboard } from './application.js';
import { FakeRedlock } from './fake-redlock.js';
import { addressesIn } from './page-addresses.js';
import { dailyJob, recordOf } from './records.js';

/** A name that is markup, a path, a query and a format string. */
const HOSTILE = '<img src=x onerror=alert(1)>/../?a=b&c#d%20"\'{base}';

afterEach(() => vi.unstubAllEnvs());

const redlock = (): FakeRedlock =>
  new FakeRedlock(new Map([HOSTILE, 'report'].map((name) => [name, dailyJob(name, [recordOf({})])])));
const json = async (
  url: string,
  init?: RequestInit,
): Promise<{ status: number; body: Record<string, unknown> }> => {
  const answer = await fetch(url, init);
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};
const post = (headers: Record<string, string>, body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});
const OURS = { 'x-redlock-dashboard': '1' };

/** Lets in whoever has the key that another module provides. */
@Injectable()
class Keys {
  readonly key = 'sesame';
}
@Module({ providers: [Keys], exports: [Keys] })
class KeysModule {}
@Injectable()
class KeyGuard implements CanActivate {
  constructor(private readonly keys: Keys) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
    return headers['x-key'] === this.keys.key;
  }
}
Reflect.defineMetadata('design:paramtypes', [Keys], KeyGuard);

describe.each(['Express', 'Fastify'] as const)('the dashboard on %s', (platform) => {
  it.each([
    ['', {}],
    ['/api', { prefix: 'api' }],
    ['/api', { prefix: 'api', versioned: true }],
  ])('finds its files and its data by relative URLs below "%s"', async (prefix, mounting) => {
    const dashboard = RedlockDashboardModule.forRoot({ path: 'admin/jobs' });
    const url = await startDashboard({ platform, redlock: redlock(), dashboard, ...mounting });
    for (const page of [`${url}${prefix}/admin/jobs`, `${url}${prefix}/admin/jobs/`]) {
      const answer = await fetch(page);
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
      const html = await answer.text();
      expect(html).not.toMatch(/\{|style=|<script>|https?:/);
      const { files, overview } = addressesIn(html, page);
      expect(files).toHaveLength(3);
      for (const file of files) {
        const asset = await fetch(file);
        expect([asset.status, asset.headers.get('cache-control')]).toEqual([
          200,
          'public, max-age=31536000, immutable',
        ]);
        expect(asset.headers.get('content-type')).toMatch(
          /^(text\/(javascript|css)|image\/svg\+xml); charset=utf-8$/,
        );
        expect(asset.headers.get('x-content-type-options')).toBe('nosniff');
      }
      expect((await json(overview.href)).body.jobs).toHaveLength(2);
    }
  });

  it('sends a strict policy with everything, and lets nobody store the data', async () => {
    const url = await startDashboard({
      platform,
      redlock: redlock(),
      dashboard: RedlockDashboardModule.forRoot(),
    });
    for (const path of [
      '/jobs',
      '/jobs/api/overview',
      '/jobs/api/fleet',
      '/jobs/assets/none',
      '/jobs/none',
    ]) {
      const { headers } = await fetch(url + path);
      expect(headers.get('content-security-policy')).toMatch(
        /^default-src 'none'; script-src 'self'; style-src 'self';/,
      );
      expect(headers.get('content-security-policy')).not.toMatch(/unsafe|\*|data:/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cache-control')).toBe(path === '/jobs' ? 'no-cache' : 'no-store');
    }
  });

  it('makes caches revalidate a file if its name contains no hash', async () => {
    const url = await startDashboard({
      platform,
      redlock: redlock(),
      dashboard: RedlockDashboardModule.forRoot(),
    });
    for (const file of ['index.html', 'licenses.txt']) {
      const { status, headers } = await fetch(`${url}/jobs/assets/${file}`);
      expect([file, status, headers.get('cache-control')]).toEqual([file, 200, 'no-cache']);
    }
  });

  it('answers 404 to files and pages that it does not have', async () => {
    const url = await startDashboard({
      platform,
      redlock: redlock(),
      dashboard: RedlockDashboardModule.forRoot(),
    });
    for (const path of ['none', 'assets/none', 'assets/..%2f..%2findex.js', 'api/job?name=none', 'api/job']) {
      expect([path, (await fetch(`${url}/jobs/${path}`)).status]).toEqual([path, 404]);
    }
  });

  it('finds a job by any name', async () => {
    const url = await startDashboard({
      platform,
      redlock: redlock(),
      dashboard: RedlockDashboardModule.forRoot(),
    });
    const { status, body } = await json(`${url}/jobs/api/job?name=${encodeURIComponent(HOSTILE)}`);
    expect([status, (body.job as { name: string }).name]).toEqual([200, HOSTILE]);
    expect(body.records).toHaveLength(1);
  });

  it('lets in whom its guard lets in, which may inject what a module of the application provides', async () => {
    const dashboard = RedlockDashboardModule.forRoot({
      guards: [KeyGuard],
      imports: [KeysModule],
      actions: true,
    });
    const fake = redlock();
    const url = await startDashboard({ platform, redlock: fake, dashboard });
    for (const path of ['', '/assets/none', '/api/overview', '/api/job?name=report', '/api/fleet']) {
      expect((await fetch(`${url}/jobs${path}`)).status).toBe(403);
    }
    expect((await fetch(`${url}/jobs/api/pause`, post(OURS, { name: 'report' }))).status).toBe(403);
    expect(fake.done).toEqual([]);
    expect((await fetch(`${url}/jobs`, { headers: { 'x-key': 'sesame' } })).status).toBe(200);
  });

  it('ignores a query that is no text', async () => {
    const fake = redlock();
    const url = await startDashboard({
      platform,
      redlock: fake,
      dashboard: RedlockDashboardModule.forRoot(),
    });
    for (const name of ['since', 'since[toString]', 'since[a]']) {
      expect((await json(`${url}/jobs/api/overview?${name}=x`)).status).toBe(200);
    }
    for (const query of ['', 'name[toString]=report', 'name=report&name=report', 'name[]=report']) {
      expect((await json(`${url}/jobs/api/job?${query}`)).status).toBe(404);
    }
  });

  it('does what a button asks for, and says what came of it', async () => {
    const fake = redlock();
    const url = await startDashboard({
      platform,
      redlock: fake,
      dashboard: RedlockDashboardModule.forRoot({ actions: true }),
    });
    const act = (action: string, body: unknown) => json(`${url}/jobs/api/${action}`, post(OURS, body));
    const pause = { name: HOSTILE, for: '2h', note: '<b>migration</b>' };
    expect(await act('pause', pause)).toEqual({ status: 200, body: { name: HOSTILE, outcome: 'paused' } });
    expect(fake.done).toEqual([['pause', HOSTILE, { for: 7_200_000, note: '<b>migration</b>' }]]);
    const { body } = await json(`${url}/jobs/api/overview`);
    expect(JSON.stringify(body)).toContain('<b>migration</b>');
    expect((await act('resume', { name: HOSTILE })).body.outcome).toBe('resumed');
    expect((await act('trigger', { name: 'report' })).body.outcome).toBe('finished');
    fake.outcome = { ran: false, reason: 'overlap' };
    expect((await act('trigger', { name: 'report' })).body).toEqual({
      name: 'report',
      outcome: 'skipped',
      reason: 'overlap',
    });
    fake.outcome = new Error('redis://user:secret@host is wrong');
    expect((await act('trigger', { name: 'report' })).body).toEqual({
      name: 'report',
      outcome: 'failed',
      reason: 'Error: redis://*** is wrong',
    });
    fake.outcome = new Promise(() => {});
    expect((await act('trigger', { name: 'report' })).body).toEqual({ name: 'report', outcome: 'waiting' });
  });

  it('refuses actions that it does not know, and says why', async () => {
    const fake = redlock();
    const url = await startDashboard({
      platform,
      redlock: fake,
      dashboard: RedlockDashboardModule.forRoot({ actions: true }),
    });
    const act = (action: string, body: unknown) => json(`${url}/jobs/api/${action}`, post(OURS, body));
    for (const [action, body] of [
      ['pause', { name: 'report', for: 'long' }],
      ['pause', { for: '2h' }],
      ['pause', []],
      ['drop', { name: 'report' }],
    ] as const) {
      expect(await act(action, body)).toEqual({
        status: 400,
        body: { error: expect.stringContaining('InvalidOptionError') as string },
      });
    }
    fake.isDown = true;
    expect((await act('pause', { name: 'report' })).status).toBe(503);
    expect((await act('trigger', { name: 'report' })).status).toBe(503);
    expect(fake.done).toEqual([]);
  });

  it('does nothing for another page, nor without the header', async () => {
    const fake = redlock();
    const url = await startDashboard({
      platform,
      redlock: fake,
      dashboard: RedlockDashboardModule.forRoot({ actions: true }),
    });
    const foreign: Record<string, string>[] = [
      {},
      { ...OURS, origin: 'http://evil.example' },
      { ...OURS, origin: 'null' },
    ];
    for (const headers of foreign) {
      expect((await fetch(`${url}/jobs/api/pause`, post(headers, { name: 'report' }))).status).toBe(403);
    }
    expect(fake.done).toEqual([]);
  });

  it('does nothing unless actions are turned on', async () => {
    const fake = redlock();
    const dashboard = RedlockDashboardModule.forRootAsync({ useFactory: async () => ({ actions: false }) });
    const url = await startDashboard({ platform, redlock: fake, dashboard });
    expect((await fetch(`${url}/jobs/api/pause`, post(OURS, { name: 'report' }))).status).toBe(404);
    expect((await json(`${url}/jobs/api/overview`)).body.actions).toBe(false);
    expect(fake.done).toEqual([]);
  });

  it('refuses to start without a guard in production, unless it is public', async () => {
    vi.stubEnv('NODE_ENV', 'production');
    expect(() => RedlockDashboardModule.forRoot()).toThrow(
      'RedlockDashboardModule: guards must not be empty in production: anybody could see the page. Set a guard, or public: true',
    );
    const open = RedlockDashboardModule.forRootAsync({ useFactory: () => ({}) });
    await expect(startDashboard({ platform, redlock: redlock(), dashboard: open })).rejects.toThrow(
      'guards must not be empty',
    );
    for (const dashboard of [
      RedlockDashboardModule.forRoot({ public: true }),
      RedlockDashboardModule.forRoot({ guards: [KeyGuard], imports: [KeysModule] }),
      RedlockDashboardModule.forRootAsync({
        inject: [Keys],
        imports: [KeysModule],
        useFactory: ({ key }: Keys) => ({ public: key === 'sesame' }),
      }),
    ]) {
      expect(
        (await fetch(`${await startDashboard({ platform, redlock: redlock(), dashboard })}/jobs`)).status,
      ).not.toBe(404);
    }
  });
});
