import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RedlockDashboardModule } from '../../src/dashboard/index.js';
import { startDashboard } from './application.js';
import { chromiumPath, closePages, launch, openPage } from './browser.js';
import type { FakeRedlock } from './fake-redlock.js';
import { inventedFleet } from './invented-fleet.js';
import { dailyJob, recordOf } from './records.js';

describe.skipIf(chromiumPath === undefined)('the timeline', () => {
  let browser: Browser;
  let redlock: FakeRedlock;
  let url: string;

  /** Opens the timeline of one job, whose only run began ten minutes ago and ended ten seconds ago. */
  const openTimelineOfOneRun = async (): Promise<{ page: Page; canvas: Locator }> => {
    const tick = new Date(Date.now() - 600_000);
    const job = dailyJob('report', [recordOf({ tick, duration: 590_000 })]);
    redlock.known.clear();
    redlock.known.set('report', job);
    redlock.instances = [];
    const page = await openPage(browser, `${url}#/timeline`);
    const canvas = page.getByRole('application');
    await canvas.waitFor();
    return { page, canvas };
  };

  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());
  afterEach(closePages);
  beforeEach(async () => {
    redlock = inventedFleet();
    const dashboard = RedlockDashboardModule.forRoot();
    url = `${await startDashboard({ platform: 'Express', redlock, dashboard })}/jobs`;
  });

  it('tells of the mark under the pointer, and of the one that keys lead to', async () => {
    const page = await openPage(browser, `${url}#/timeline`);
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByRole('searchbox').fill('orders');
    expect(await page.locator('.names').allTextContents()).toEqual(['orders.reconcile']);
    const canvas = page.getByRole('application');
    await canvas.focus();
    const live = page.locator('[aria-live=polite]');
    for (let key = 0; key < 12 && !(await live.textContent())?.includes('Died'); key++)
      await page.keyboard.press('ArrowLeft');
    expect(await live.textContent()).toMatch(/^orders\.reconcile: Died\. Tick of .* ago\)\. On web-\d/);
    expect(await page.locator('.tooltip').textContent()).toContain('Died');
    const [tracks, tooltip] = await Promise.all(
      ['.tracks', '.tooltip'].map((part) => page.locator(part).boundingBox()),
    );
    expect(tooltip!.y + tooltip!.height).toBeLessThan(tracks!.y + tracks!.height);
    await page.keyboard.press('ArrowLeft');
    expect(await live.textContent()).toMatch(/^orders\.reconcile: Missed.*Cause: unknown$/);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'orders.reconcile' }).waitFor();
    await page.getByRole('application').hover({ position: { x: 5, y: 43 } });
  });

  it('moves the timeline with the pointer until its button is released', async () => {
    const { page, canvas } = await openTimelineOfOneRun();
    const { x, y, width } = (await canvas.boundingBox())!;
    const positionOfRun = async (): Promise<number> => {
      const style = await page.locator('.tooltip').getAttribute('style');
      return Number(/left: ([\d.]+)px/.exec(style ?? '')?.[1]);
    };
    const from = { x: x + width / 2, y: y + 45 };
    await page.mouse.move(from.x, from.y);
    await canvas.focus();
    await page.keyboard.press('End');
    const before = await positionOfRun();
    await page.mouse.down();
    await page.mouse.move(from.x - 100, from.y, { steps: 10 });
    // The page renders each second.
    await page.waitForTimeout(1200);
    await page.mouse.move(from.x - 200, from.y, { steps: 10 });
    expect(Math.abs((await positionOfRun()) - (before - 200))).toBeLessThan(3);
    await page.mouse.up();
    await page.mouse.move(from.x, from.y - 40, { steps: 10 });
    await page.keyboard.press('End');
    expect(Math.abs((await positionOfRun()) - (before - 200))).toBeLessThan(3);
    expect(await page.getByRole('button', { name: 'Now' }).getAttribute('aria-pressed')).toBe('false');
  });

  it('shows the bar of a run that began long before what is shown', async () => {
    const { page } = await openTimelineOfOneRun();
    await page.getByRole('button', { name: '1 min', exact: true }).click();
    expect(await page.getByRole('button', { name: '1 min', exact: true }).getAttribute('aria-pressed')).toBe(
      'true',
    );
    // How opaque the middle of the row is, below the axis and to the right of the names.
    const opacities: number[] = await page.evaluate(`new Promise(requestAnimationFrame).then(() => {
      const { width, height } = document.querySelector('canvas');
      const row = document.querySelector('canvas').getContext('2d');
      const { data } = row.getImageData(0.3 * width, Math.round(height * 43 / 58), 0.1 * width, 1);
      return [...data].filter((_one, index) => index % 4 === 3);
    })`);
    expect(Math.min(...opacities)).toBeGreaterThan(0);
  });

  it('zooms the timeline from a minute to a month', async () => {
    const page = await openPage(browser, `${url}#/timeline`);
    for (const range of ['1 min', '1 month']) {
      await page.getByRole('button', { name: range, exact: true }).click();
      expect(await page.getByRole('button', { name: range, exact: true }).getAttribute('aria-pressed')).toBe(
        'true',
      );
    }
    await page.getByRole('application').press('+');
    expect(await page.getByRole('button', { name: '1 month' }).getAttribute('aria-pressed')).toBe('false');
  });
});
