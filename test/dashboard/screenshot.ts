// Makes the picture in the documentation, from a fleet of three processes that runs for two minutes:
// `node build/test/dashboard/screenshot.js`.
import { setTimeout as sleep } from 'node:timers/promises';
import { launch } from './browser.js';
import { AUTHORIZATION, RealFleet } from './real-fleet.js';

const PICTURE = 'docs/dashboard.png';
const JOB = 'stock.import';

const fleet = await RealFleet.start(['web-1', 'web-2', 'web-3']);
const browser = await launch();
try {
  await sleep(30_000);
  await fleet.letRun('web-3', JOB);
  await sleep(2000);
  await fleet.kill('web-3');
  fleet.letAllRun();
  await fleet.add('web-4');
  await sleep(25_000);
  fleet.redis.pause();
  await sleep(6000);
  fleet.redis.resume();
  await sleep(15_000);

  const page = await browser.newPage({
    viewport: { width: 1160, height: 444 },
    deviceScaleFactor: 1.4,
    extraHTTPHeaders: { authorization: AUTHORIZATION },
  });
  const act = async (job: string, action: string): Promise<void> => {
    await page.goto(`${fleet.page}#/job/${job}`);
    await page.getByRole('button', { name: `${action} …` }).click();
    await page.getByRole('button', { name: action, exact: true }).click();
    await page.getByText(/whole fleet|It ran/).waitFor();
  };
  await act('mail.digest', 'Run now');
  await act('exports.nightly', 'Run now');
  await act('orders.sync', 'Pause');
  await sleep(20_000);

  await page.goto(`${fleet.page}#/timeline`);
  const timeline = page.getByRole('application');
  const said = async (): Promise<string> => (await page.locator('[aria-live=polite]').textContent()) ?? '';
  await page.getByRole('button', { name: '10 min' }).click();
  for (const key of ['+', '+']) await timeline.press(key);
  while (!(await said()).startsWith(JOB)) await timeline.press('ArrowDown');
  while (!(await said()).includes('Died')) await timeline.press('ArrowLeft');
  await page.screenshot({ path: PICTURE });
  console.log(PICTURE);
} finally {
  await browser.close();
  await fleet.stop();
}
process.exit();
