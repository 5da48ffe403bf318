import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Page, pages } from './pages.js';

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
