import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Where Chromium is, by `CHROMIUM` or the PATH; `undefined` on a machine without it. */
export const chromiumPath: string | undefined =
  process.env.CHROMIUM ??
  (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((folder) => NAMES.map((name) => join(folder, name)))
    .find((path) => existsSync(path));

export const launch = (): Promise<Browser> =>
  chromium.launch({
    executablePath: chromiumPath ?? '',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });

const open: { readonly page: Page; readonly complaints: string[] }[] = [];

/** Opens a page. It must neither complain nor ask another host for anything: `closePages` checks that. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Page> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (new URL(request.url()).host !== new URL(url).host) complaints.push(`asked ${request.url()}`);
  });
  open.push({ page, complaints });
  await page.goto(url);
  return page;
}

/** To be called after each test, before its application closes. */
export async function closePages(): Promise<void> {
  const all = open.splice(0);
  for (const { page } of all) await page.context().close();
  expect(all.flatMap(({ complaints }) => complaints)).toEqual([]);
}

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** What axe has to say against a page, as `rule: element`. */
export async function violationsOf(page: Page): Promise<string[]> {
  // The policy of the page refuses scripts that are injected as elements.
  await page.evaluate(readFileSync(AXE, 'utf8'));
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}
