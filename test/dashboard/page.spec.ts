import { type CanActivate, Injectable } from '@nestjs/common';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RedlockDashboardModule } from '../../src/dashboard/index.js';
import { startDashboard } from './application.js';
import { chromiumPath, closePages, launch, openPage, violationsOf } from './browser.js';
import type { FakeRedlock } from './fake-redlock.js';
import { HOSTILE_ERROR, HOSTILE_NAME, inventedFleet } from './invented-fleet.js';
import { recordOf } from './records.js';

const LOOKS = [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['a phone', { viewport: { width: 360, height: 740 } }],
] as const;
const PAGES = [
  '',
  '#/timeline',
  '#/fleet',
  '#/job/orders.reconcile',
  '#/job/stock.import',
  `#/job/${encodeURIComponent(HOSTILE_NAME)}`,
];

@Injectable()
class Doorkeeper implements CanActivate {
  static isOpen = true;

  canActivate(): boolean {
    return Doorkeeper.isOpen;
  }
}

const jobNames = (page: Page): Promise<string[]> => page.locator('table.jobs tbody th a').allTextContents();

describe.skipIf(chromiumPath === undefined)('the page of the dashboard', () => {
  let browser: Browser;
  let redlock: FakeRedlock;
  let url: string;

  const begin = async (extraJobs = 0): Promise<void> => {
    redlock = inventedFleet(extraJobs);
    const dashboard = RedlockDashboardModule.forRoot({ actions: true, guards: [Doorkeeper] });
    url = `${await startDashboard({ platform: 'Express', redlock, dashboard, prefix: 'base' })}/base/jobs`;
  };

  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());
  afterEach(closePages);
  beforeEach(() => {
    Doorkeeper.isOpen = true;
    return begin();
  });

  it.each(LOOKS)('has nothing that axe objects to, in %s', async (_name, options) => {
    const page = await openPage(browser, url, options);
    for (const path of PAGES) {
      await page.goto(`${url}${path}`);
      await page.getByText('Live', { exact: true }).waitFor();
      await page.getByText('Loading').first().waitFor({ state: 'detached' });
      expect([path, await violationsOf(page)]).toEqual([path, []]);
      const isTooWide = await page.evaluate('document.documentElement.scrollWidth > innerWidth');
      expect([path, isTooWide]).toEqual([path, false]);
    }
  });

  it('lists the jobs, filters them and sorts them', async () => {
    const page = await openPage(browser, url);
    await page.getByRole('link', { name: 'billing.invoices' }).waitFor();
    expect(await jobNames(page)).toHaveLength(10);
    const invoices = page.locator('tr', { hasText: 'billing.invoices' });
    expect(await invoices.textContent()).toMatch(/Every 5 minutes.*ago.*in .*93\.\d %/);
    await page.getByRole('searchbox').fill('berlin');
    expect(await jobNames(page)).toEqual(['exports.nightly']);
    await page.getByRole('searchbox').fill('');
    await page.getByRole('button', { name: 'Paused 1' }).click();
    expect(await jobNames(page)).toEqual(['stock.import']);
    await page.getByRole('button', { name: 'All 10' }).click();
    await page.getByRole('button', { name: 'Missed' }).click();
    expect(await page.locator('th[aria-sort=descending]').textContent()).toBe('Missed');
    expect((await jobNames(page))[0]).toBe('orders.reconcile');
    await page.getByRole('searchbox').fill('no such job');
    await page.getByText('No job matches.').waitFor();
  });

  it('shows what has happened since, without being loaded again', async () => {
    const page = await openPage(browser, url);
    const nightly = page.locator('tr', { hasText: 'exports.nightly' });
    await nightly.waitFor();
    const job = redlock.known.get('exports.nightly') ?? {};
    const tick = new Date(Date.now() - 1000);
    const newest = recordOf({
      tick,
      outcome: 'failed',
      instanceId: 'web-9',
      duration: 50,
      error: 'Error: disk full',
    });
    redlock.known.set('exports.nightly', { ...job, records: [newest, ...(job.records ?? [])] });
    await nightly.getByText('web-9').waitFor({ timeout: 8000 });
    expect(await nightly.getByRole('img', { name: 'Failed' }).count()).toBe(1);
  });

  it('shows hostile names and errors as they are', async () => {
    const page = await openPage(browser, url);
    await page.getByRole('link', { name: HOSTILE_NAME }).click();
    await page.getByRole('heading', { name: HOSTILE_NAME }).waitFor();
    await page.getByText(HOSTILE_ERROR).waitFor();
    expect(await page.locator('img, main script').count()).toBe(0);
    expect(await page.title()).toBe(HOSTILE_NAME);
  });

  it('asks before an action, and says what came of it', async () => {
    const page = await openPage(browser, `${url}#/job/orders.reconcile`);
    await page.getByRole('button', { name: 'Pause …' }).click();
    expect(await violationsOf(page)).toEqual([]);
    await page.getByRole('button', { name: 'Cancel' }).click();
    expect(redlock.done).toEqual([]);
    await page.getByRole('button', { name: 'Pause …' }).click();
    await page.getByRole('combobox').selectOption('2 hours');
    await page.getByRole('textbox').fill('<i>migration</i>');
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await page.getByText('Paused on the whole fleet.').waitFor();
    expect(redlock.done).toEqual([
      ['pause', 'orders.reconcile', { for: 7_200_000, note: '<i>migration</i>' }],
    ]);
    await page.getByText('<i>migration</i>').waitFor();
    await page.getByRole('button', { name: 'Resume …' }).click();
    await page.getByRole('button', { name: 'Resume', exact: true }).click();
    await page.getByText('Resumed on the whole fleet.').waitFor();
    redlock.outcome = { ran: false, reason: 'overlap' };
    await page.getByRole('button', { name: 'Run now …' }).click();
    await page.keyboard.press('Escape');
    expect(redlock.done).toHaveLength(2);
    await page.getByRole('button', { name: 'Run now …' }).click();
    await page.getByRole('button', { name: 'Run now', exact: true }).click();
    await page.getByText('It did not run: overlap.').waitFor();
  });

  it('does not say that an action was not done unless it was refused', async () => {
    const page = await openPage(browser, `${url}#/job/orders.reconcile`);
    const act = async (action: string): Promise<string | null> => {
      await page.getByRole('button', { name: `${action} …` }).click();
      await page.getByRole('button', { name: action, exact: true }).click();
      const said = page.locator('.said', { hasText: `${action}:` });
      return said.textContent();
    };
    await page.getByRole('button', { name: 'Pause …' }).waitFor();
    page.removeAllListeners('console');
    const pattern = '**/api/trigger';
    await page.route(pattern, (route) => route.fulfill({ status: 502, body: 'Bad Gateway' }));
    expect(await act('Run now')).toMatch(/not known .* Look for the run .* The server answered 502/);
    await page.unroute(pattern);
    await page.route(pattern, (route) => route.abort());
    expect(await act('Run now')).toMatch(/not known .* The server does not answer/);
    redlock.isDown = true;
    expect(await act('Pause')).toMatch(/not known .* shows the job as paused\. StoreDownError/);
    redlock.isDown = false;
    Doorkeeper.isOpen = false;
    expect(await act('Pause')).toBe('Pause: not done. You are not allowed to do this.');
  });

  it('says that no node answers, since when, and keeps what it knows', async () => {
    const page = await openPage(browser, url);
    await page.getByRole('link', { name: 'billing.invoices' }).waitFor();
    redlock.isDown = true;
    await page.getByText('No node has answered').waitFor({ timeout: 8000 });
    expect(await page.getByRole('status').textContent()).toMatch(/since .*ago|since .*now/);
    expect(await jobNames(page)).toHaveLength(10);
    expect(await violationsOf(page)).toEqual([]);
    redlock.isDown = false;
    await page.getByText('No node has answered').waitFor({ state: 'detached', timeout: 8000 });
  });

  it('shows the jobs, and that nothing is known of them, if no node has ever answered', async () => {
    redlock.isDown = true;
    const page = await openPage(browser, url);
    await page.getByText('No node has answered').waitFor();
    expect(await jobNames(page)).toHaveLength(10);
    expect(await page.locator('tr', { hasText: 'billing.invoices' }).textContent()).toContain(
      'Every 5 minutes',
    );
    await page.getByRole('link', { name: 'Fleet' }).click();
    await page.getByText('Loading …').waitFor();
    expect(await page.locator('main').textContent()).toBe('Loading …');
    redlock.isDown = false;
    await page.getByRole('heading', { name: 'Instances (3)' }).waitFor({ timeout: 15_000 });
  });

  it('says what instances disagree on, without alarm while an update may be in progress', async () => {
    const page = await openPage(browser, `${url}#/fleet`);
    redlock.emit('drift', { kind: 'job', name: 'orders.reconcile', message: 'It was reported' });
    redlock.emit('drift', { kind: 'job', name: 'gone', message: 'It has ended' });
    const drift = page.locator('ul.drift li');
    const update = /^Job "orders\.reconcile" has different .*"web-3.* differs from "web-2.*perhaps an update/;
    await drift.getByText('It has ended').waitFor({ timeout: 8000 });
    expect(await drift.allTextContents()).toEqual([
      expect.stringMatching(update),
      expect.stringMatching(/^It has ended reported/),
    ]);
    await page.goto(`${url}#/job/orders.reconcile`);
    const instances = page
      .locator('section', { hasText: 'On each instance' })
      .locator('tbody td:first-child');
    await instances.first().waitFor();
    expect(await instances.allTextContents()).toEqual([
      expect.stringMatching(/^web-3\S* $/),
      expect.stringMatching(/^web-2.* differs$/),
      expect.stringMatching(/^web-1.* differs$/),
    ]);
    redlock.instances = redlock.instances.map((instance, index) => ({
      ...instance,
      startedAt: new Date(Date.now() - (index + 1) * 3_600_000),
    }));
    await instances.getByText('drift').first().waitFor({ timeout: 15_000 });
    expect(await violationsOf(page)).toEqual([]);
    await page.goto(`${url}#/fleet`);
    await drift.first().waitFor();
    expect(await drift.first().textContent()).not.toContain('update');
  });

  it('says that it may no longer look, once the guard refuses', async () => {
    const page = await openPage(browser, url);
    await page.getByText('Live', { exact: true }).waitFor();
    page.removeAllListeners('console');
    Doorkeeper.isOpen = false;
    await page.getByText('You are not allowed to do this.').waitFor({ timeout: 8000 });
    expect(await jobNames(page)).toHaveLength(10);
    Doorkeeper.isOpen = true;
    await page.getByText('Live', { exact: true }).waitFor({ timeout: 8000 });
  });

  it('leaves room for names on a phone, also while some rows are out of sight', async () => {
    await begin(100);
    const page = await openPage(browser, url, { viewport: { width: 360, height: 740 } });
    const name = page.getByRole('link', { name: 'sessions.purge' });
    await name.waitFor();
    const [link, cell] = await Promise.all(
      [name, page.locator('th', { has: name })].map((box) => box.boundingBox()),
    );
    expect(link!.x + link!.width).toBeLessThan(cell!.x + cell!.width);
    expect(cell!.width).toBeGreaterThan(130);
  });

  it('has as few elements with a thousand jobs as with a screenful, wherever it is scrolled', async () => {
    await begin(1000);
    const page = await openPage(browser, url);
    await page.getByRole('button', { name: 'All 1010' }).waitFor();
    for (const top of [0, 20_000, 100_000]) {
      await page.evaluate(`scrollTo(0, ${top})`);
      await page.waitForTimeout(100);
      const names = await jobNames(page);
      expect(names.length).toBeGreaterThan(10);
      expect(names.length).toBeLessThan(60);
    }
    expect((await jobNames(page)).at(-1)).toBe('tenant-0999.sync');
    await page.goto(`${url}#/timeline`);
    await page.locator('.names a').first().waitFor();
    expect(await page.locator('.names a').count()).toBeLessThan(60);
  });
});
