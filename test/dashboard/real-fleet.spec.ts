import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromiumPath, closePages, launch, openPage } from './browser.js';
import { AUTHORIZATION, RealFleet } from './real-fleet.js';

/** A short job, and one that takes six seconds: long enough to kill its instance. */
const JOB = 'orders.sync';
const LONG_JOB = 'stock.import';
const INSTANCES = ['web-1', 'web-2', 'web-3'];
/** For what needs a tick, or an end of a lease, and a refresh of the page, in milliseconds. */
const SOON = { timeout: 15_000 };

const rowOf = (page: Page, job: string) => page.locator('table.jobs tbody tr', { hasText: job });

/** What the timeline says of the marks of its first row, from the oldest on. */
async function marksOf(page: Page): Promise<string[]> {
  const marks = new Set<string>();
  await page.getByRole('application').focus();
  await page.keyboard.press('Home');
  for (let size = -1; size < marks.size; await page.keyboard.press('ArrowRight')) {
    size = marks.size;
    marks.add((await page.locator('[aria-live=polite]').textContent()) ?? '');
  }
  return [...marks];
}

async function act(page: Page, action: string): Promise<void> {
  await page.getByRole('button', { name: `${action} …` }).click();
  await page.getByRole('button', { name: action, exact: true }).click();
}

describe.skipIf(chromiumPath === undefined)('the page of a real fleet', () => {
  let fleet: RealFleet;
  let browser: Browser;
  const open = async (path = ''): Promise<Page> => {
    const extraHTTPHeaders = { authorization: AUTHORIZATION };
    const page = await openPage(browser, `${fleet.page}${path}`, { extraHTTPHeaders });
    page.setDefaultTimeout(SOON.timeout);
    return page;
  };

  beforeAll(async () => {
    browser = await launch();
    fleet = await RealFleet.start(INSTANCES);
  });
  afterAll(async () => {
    await browser?.close();
    await fleet?.stop();
  });
  afterEach(closePages);

  it('is refused by the guard, and so are its data and its actions', async () => {
    const statuses = await Promise.all(
      ['', '/api/overview', '/api/fleet'].map(async (path) => (await fetch(fleet.page + path)).status),
    );
    const headers = { 'x-redlock-dashboard': '1', 'content-type': 'application/json' };
    const body = JSON.stringify({ name: JOB });
    const { status } = await fetch(`${fleet.page}/api/pause`, { method: 'POST', headers, body });
    expect([...statuses, status]).toEqual([403, 403, 403, 403]);
  });

  it('shows which instance ran which tick, and the one that was killed in its run', async () => {
    for (const name of INSTANCES) await fleet.letRun(name, JOB);
    await fleet.letRun('web-3', LONG_JOB);
    await fleet.kill('web-3');
    fleet.letAllRun();
    const page = await open();
    await rowOf(page, JOB).getByText('Every 2 seconds').waitFor();
    await rowOf(page, JOB)
      .getByText(/web-[12]/)
      .waitFor(SOON);
    await page.getByRole('link', { name: 'Timeline' }).click();
    await page.getByRole('searchbox').fill(LONG_JOB);
    await expect.poll(() => marksOf(page), SOON).toContainEqual(expect.stringMatching(/: Died.* On web-3/));
    await page.getByRole('searchbox').fill(JOB);
    const marks = await marksOf(page);
    // The instance that was killed may have been running this job, too.
    for (const name of INSTANCES)
      expect(marks).toContainEqual(expect.stringMatching(new RegExp(`: (Ran|Died).* On ${name}`)));
  });

  it('pauses a job on the whole fleet, and resumes it', async () => {
    const page = await open(`#/job/${JOB}`);
    await page.getByRole('button', { name: 'Pause …' }).click();
    await page.getByRole('textbox').fill('<i>migration</i>');
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await page.getByText('Paused on the whole fleet.').waitFor();
    await page.getByText('<i>migration</i>').waitFor();
    const next = fleet.hasBegun(JOB, undefined, Date.now()).then(() => 'was run');
    expect(await Promise.race([next, sleep(4500, 'was not run')])).toBe('was not run');
    await act(page, 'Resume');
    await page.getByText('Resumed on the whole fleet.').waitFor();
    expect(await next).toBe('was run');
    await expect.poll(() => marksOf(page), SOON).toContainEqual(expect.stringContaining(': Skipped: paused'));
  });

  it('runs jobs now, and says what came of it', async () => {
    const page = await open('#/job/exports.nightly');
    await act(page, 'Run now');
    await page.getByText('It ran, and finished.').waitFor();
    await page.locator('section', { hasText: 'Runs on record' }).getByText('manual').waitFor(SOON);
    await page.goto(`${fleet.page}#/job/mail.digest`);
    await act(page, 'Run now');
    await page.getByText('It ran, and failed').waitFor();
    expect(await page.locator('.said').textContent()).toBe(
      'It ran, and failed: Error: <b>no</b> mail server',
    );
  });

  it('says since when Redis does not answer, and recovers when it is back', async () => {
    const page = await open();
    await rowOf(page, JOB)
      .getByText(/web-[12]/)
      .waitFor(SOON);
    await fleet.redis.kill();
    await page.getByText('No node has answered').waitFor(SOON);
    expect(await page.getByRole('status').textContent()).toMatch(/since .*(ago|now)/);
    expect(await rowOf(page, JOB).textContent()).toMatch(/web-[12]/);
    const back = Date.now();
    await fleet.redis.restart();
    await page.getByText('No node has answered').waitFor({ state: 'detached', ...SOON });
    await page.getByText('Live', { exact: true }).waitFor();
    const last = rowOf(page, JOB).locator('time').first();
    await expect
      .poll(async () => Date.parse((await last.getAttribute('datetime')) ?? ''), SOON)
      .toBeGreaterThan(back);
  });
});
