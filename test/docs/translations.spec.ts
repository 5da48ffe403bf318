/**
 * The Chinese pages say what the English ones say. Part by part (a paragraph, an item of a list, a cell of a table, a
 * block of code), all must be the same that no translation changes: headings and their levels, code, links, notes for
 * the tests, and figures with their units.
 */
import { basename, dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Page, pages } from './pages.js';

/** The English pages that have a Chinese twin, `docs/<name>.zh-CN.md`. */
const TRANSLATED_PAGES = ['README.md', 'docs/calls.md'];

interface Part {
  /** `##`, `-`, `1.`, `cell`, `note`, `ts`, … */
  readonly kind: string;
  readonly text: string;
}

const LINK = /\]\(([^)\s]+)\)/g;
const INLINE_CODE = /(`+)(?!`)(.+?)(?<!`)\1(?!`)/g;
const FIGURE = /\d+(?:[.:/]\d+)*(?:\s*(?:ms|min|s|%)(?![a-z]))?/g;

/** How figures are written in words, in both languages. `one` and `一` are left out: they are more than figures. */
const FIGURES_IN_WORDS: readonly (readonly [RegExp, string])[] = [
  [/\bhalf a second\b|半秒/g, ' 0.5 s'],
  [/\bthird\b|三分之一/g, ' 1/3 '],
  [/\btenth\b|十分之一/g, ' 1/10 '],
  [/\b(two|twice)\b|[二两]/gi, ' 2 '],
  [/\bthree\b|三/gi, ' 3 '],
  [/\bfour\b|四/gi, ' 4 '],
  [/\bfive\b|五/gi, ' 5 '],
  [/\bsix\b|六/gi, ' 6 '],
  [/\bseven\b|七/gi, ' 7 '],
  [/\beight\b|八/gi, ' 8 '],
  [/\bnine\b|九/gi, ' 9 '],
  [/\bten\b|十/gi, ' 10 '],
  [/(?<=\d\s*)(milliseconds?\b|毫秒)/g, 'ms'],
  [/(?<=\d\s*)(seconds?\b|秒)/g, 's'],
  [/(?<=\d\s*)(minutes?\b|分钟)/g, 'min'],
];

/** What may be translated in a block of code: comments, and what a diagram says. */
const TRANSLATED: Readonly<Record<string, RegExp>> = {
  ts: /(?<=^|\s)\/\/ .*/gm,
  sh: /(?<=^|\s)# .*/gm,
  mermaid: /(?<=^ *(?:participant \w+ as|loop|.*?:) ).*/gm,
};

const twins = TRANSLATED_PAGES.map((path) => ({
  path,
  english: new Page(path),
  chinese: new Page(`docs/${basename(path, '.md')}.zh-CN.md`),
}));
/** The languages of the blocks of code. */
const languages = new Set(twins.flatMap(({ english }) => english.blocks.map(({ language }) => language)));

function partsOf({ prose, blocks }: Page): Part[] {
  const parts: Part[] = [];
  let ended = true;
  for (const [index, line] of prose.entries()) {
    const block = blocks.find((each) => each.line === index + 2);
    const start = /^(#+|-|\d+\.|<!--) /.exec(line)?.[1];
    if (block) parts.push({ kind: block.language, text: block.code });
    else if (line.startsWith('|'))
      parts.push(
        ...line
          .split('|')
          .slice(1, -1)
          .map((text) => ({ kind: 'cell', text })),
      );
    else if (start === '<!--') parts.push({ kind: 'note', text: line });
    else if (start !== undefined) parts.push({ kind: start, text: line.slice(start.length) });
    else if (line !== '' && ended) parts.push({ kind: 'paragraph', text: line });
    else if (line !== '') parts.push({ kind: parts.at(-1)!.kind, text: `${parts.pop()!.text} ${line}` });
    ended = line === '';
  }
  return parts;
}

/** What both languages must have in common. `folder` is where the links begin. */
function essence({ kind, text }: Part, folder: string): object {
  if (kind === 'note') return { kind, text };
  const figures = figuresIn(text);
  const untouched = codeWithoutComments(kind, text);
  if (untouched !== undefined) return { kind, code: untouched, figures };
  return {
    kind,
    code: Array.from(text.matchAll(INLINE_CODE), ([, , code = '']) => code).toSorted((a, b) =>
      a.localeCompare(b),
    ),
    links: Array.from(text.matchAll(LINK), ([, target = '']) => inEnglish(fromRoot(target, folder))),
    figures,
  };
}

function fromRoot(target: string, folder: string): string {
  return /^(https?:|#)/.test(target) ? target : join(folder, target);
}

/** Of a target in either language, the English page, and the number of the heading that the anchor leads to. */
function inEnglish(target: string): string {
  const [file = '', anchor] = target.split('#');
  const twin = twins.find(({ english, chinese }) => [english.path, chinese.path].includes(file));
  if (!twin) return target;
  const { anchors } = file === twin.path ? twin.english : twin.chinese;
  return anchor === undefined ? twin.path : `${twin.path}, heading ${[...anchors].indexOf(anchor)}`;
}

function codeWithoutComments(language: string, code: string): string | undefined {
  if (!languages.has(language)) return undefined;
  const translated = TRANSLATED[language];
  return translated ? code.replace(translated, '') : code;
}

function figuresIn(text: string): string[] {
  const digits = FIGURES_IN_WORDS.reduce((before, [words, figure]) => before.replace(words, figure), text);
  return Array.from(digits.matchAll(FIGURE), ([figure]) => figure.replace(/\s/g, '')).toSorted();
}

/** The parts under each heading, the heading first. */
function sectionsOf(page: Page): object[][] {
  const sections: object[][] = [];
  for (const part of partsOf(page)) {
    if (part.kind.startsWith('#')) sections.push([]);
    sections.at(-1)!.push(essence(part, dirname(page.path)));
  }
  return sections;
}

const linkTo = (from: Page, to: Page) => `(${relative(dirname(from.path), to.path)})`;
const headings = (page: Page) => partsOf(page).filter(({ kind }) => kind.startsWith('#'));

describe.each(twins)('$path and its Chinese twin', ({ english, chinese }) => {
  const [sections, translated] = [sectionsOf(english), sectionsOf(chinese)];

  it('have the same levels of headings', () => {
    const levels = headings(english).map(({ kind }) => kind);
    expect(levels.length).toBeGreaterThan(3);
    expect(headings(chinese).map(({ kind }) => kind)).toEqual(levels);
  });

  it('link to each other in the first lines', () => {
    expect(english.prose[2]).toContain(`English · [简体中文]${linkTo(english, chinese)}`);
    expect(chinese.prose[2]).toContain(`[English]${linkTo(chinese, english)} · 简体中文`);
  });

  it.each(headings(english).map(({ text }, index) => ({ heading: text.trim(), index })))(
    'say the same in $heading',
    ({ index }) => {
      expect(translated[index]).toEqual(sections[index]);
    },
  );
});

it('finds all Chinese pages', () => {
  const found = pages().flatMap(({ path }) => (path.includes('.zh-CN.') ? [path] : []));
  expect(twins.map(({ chinese }) => chinese.path).toSorted()).toEqual(found);
});

it('tells apart links to different headings of one page', () => {
  expect(inEnglish('docs/calls.md#events')).toBe(inEnglish('docs/calls.zh-CN.md#事件'));
  expect(inEnglish('docs/calls.md#events')).not.toBe(inEnglish('docs/calls.md#other-decorators'));
});

it('reads figures in both languages', () => {
  expect(figuresIn('five of them, 30 s, `10m`, ten minutes, half a second, a tenth at 10:00')).toEqual(
    figuresIn('五个、30 秒、`10m`、十分钟、半秒、十分之一，10:00'),
  );
  expect(figuresIn('30 秒')).not.toEqual(figuresIn('30 ms'));
  expect(figuresIn('30 s')).toEqual(['30s']);
});
