import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RedlockDashboardModule } from '../../src/dashboard/index.js';
import { type Platform, startDashboard } from './application.js';
import { chromiumPath, closePages, launch, openPage } from './browser.js';
import { FakeRedlock } from './fake-redlock.js';
import { addressesIn } from './page-addresses.js';
import { type ProxyRules, startProxy } from './proxy.js';
import { dailyJob, recordOf } from './records.js';

/** A proxy in front of an application, and where browsers find the page. */
interface Setting extends ProxyRules {
  readonly what: string;
  /** Of the application. */
  readonly path: string;
  readonly prefix?: string;
  readonly pages: readonly string[];
}

const STRIPPING: Setting = {
  what: 'removes a path',
  from: '/admin',
  to: '',
  path: 'jobs',
  pages: ['/admin/jobs', '/admin/jobs/', '/admin/jobs?from=/mail/'],
};
const SETTINGS: Setting[] = [
  STRIPPING,
  {
    what: 'leaves paths as they are',
    from: '/admin',
    to: '/admin',
    path: 'admin',
    pages: ['/admin', '/admin/'],
  },
  {
    what: 'puts another path in its place',
    from: '/teams/ops',
    to: '/base',
    prefix: 'base',
    path: 'admin/jobs',
    pages: ['/teams/ops/admin/jobs', '/teams/ops/admin/jobs/'],
  },
  { what: 'renames the last segment', from: '/ops', to: '/jobs', path: 'jobs', pages: ['/ops/'] },
];

/** Starts an application and the proxy in front of it. Resolves to the address of the proxy. */
async function start(
  platform: Platform,
  { path, prefix, ...rules }: Setting,
  redlock: FakeRedlock,
): Promise<string> {
  const dashboard = RedlockDashboardModule.forRoot({ path, actions: true });
  return startProxy(await startDashboard({ platform, redlock, dashboard, prefix }), rules);
}

const fleet = (): FakeRedlock => new FakeRedlock(new Map([['report', dailyJob('report', [recordOf({})])]]));

describe.each(['Express', 'Fastify'] as const)('behind a proxy that', (platform) => {
  it.each(SETTINGS)(`$what, everything that the page on ${platform} refers to is found`, async (setting) => {
    const proxy = await start(platform, setting, fleet());
    for (const path of setting.pages) {
      const page = await fetch(proxy + path);
      const { files, overview } = addressesIn(await page.text(), page.url);
      expect(files).toHaveLength(3);
      const answers = await Promise.all([...files, overview].map((address) => fetch(address)));
      expect(answers.map(({ status, url }) => [url, status])).toEqual(
        [...files, overview].map(({ href }) => [href, 200]),
      );
      expect(await answers.at(-1)?.json()).toMatchObject({ jobs: [{}] });
    }
  });
});

describe.skipIf(chromiumPath === undefined)('the page behind a proxy', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());
  afterEach(closePages);

  it.each(STRIPPING.pages)(
    'shows and pauses a job below a path that the proxy removes, at %s',
    async (path) => {
      const redlock = fleet();
      const proxy = await start('Express', STRIPPING, redlock);
      const page = await openPage(browser, proxy + path);
      await page.getByRole('link', { name: 'report' }).click();
      await page.getByRole('button', { name: 'Pause …' }).click();
      await page.getByRole('button', { name: 'Pause', exact: true }).click();
      await page.getByText('Paused on the whole fleet.').waitFor();
      expect(redlock.done).toMatchObject([['pause', 'report', {}]]);
      await page.reload();
      await page.getByRole('heading', { name: 'report' }).waitFor();
    },
  );

  it('shows what has happened since, if the proxy buffers', async () => {
    const redlock = fleet();
    const proxy = await start('Express', { ...STRIPPING, buffers: true }, redlock);
    const page = await openPage(browser, `${proxy}/admin/jobs`);
    await page.getByText('Live', { exact: true }).waitFor();
    const newest = recordOf({ tick: new Date(), instanceId: 'web-9' });
    redlock.known.set('report', dailyJob('report', [newest]));
    const jobs = page.locator('table.jobs');
    await expect.poll(() => jobs.textContent(), { timeout: 8000 }).toContain('web-9');
  });
});
