import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Page, pages } from './pages.js';

/** In docs/internals.md: what the reader would write. */
const TO_BE_WRITTEN = ['nodes/postgres-node.ts'];

it.each(pages())('$path links to files and headings that are there', (page) => {
  const broken = page.links.filter(({ file, anchor }) => {
    if (file !== '' && !existsSync(file)) return true;
    if (anchor === undefined) return false;
    const target = file === '' ? page : new Page(file);
    return !target.anchors.has(anchor);
  });
  expect(broken).toEqual([]);
});

it('finds the links of the pages', () => {
  const links = pages().flatMap((page) => page.links);
  expect(links.length).toBeGreaterThan(10);
  expect(links.filter(({ anchor }) => anchor !== undefined).length).toBeGreaterThan(2);
});

it('names files in docs/internals.md that are there', () => {
  const code = new Page('docs/internals.md').prose.flatMap((line) =>
    Array.from(line.matchAll(/`([^`]+)`/g), ([, text = '']) => text),
  );
  const paths = code.filter((text) => /^[\w.-]+(\/[\w.-]+)*(\/|\.(ts|md))$/.test(text));
  expect(paths.length).toBeGreaterThan(100);
  const missing = paths.filter((path) => !existsSync(path) && !existsSync(join('src', path)));
  expect([...new Set(missing)]).toEqual(TO_BE_WRITTEN);
});
