import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A fenced block of code. */
export interface CodeBlock {
  readonly language: string;
  /** What the comment `<!-- ts: … -->` before it says, if there is one. */
  readonly note: string | undefined;
  /** The line of its first line of code, from 1 on. */
  readonly line: number;
  readonly code: string;
}

/** A link to another place in this repository. */
export interface Link {
  readonly line: number;
  /** From the root of the repository, without the anchor. */
  readonly file: string;
  readonly anchor: string | undefined;
}

/** One page of the documentation, as far as the tests need to know Markdown. */
export class Page {
  readonly blocks: readonly CodeBlock[];
  /** All lines, with those of the blocks empty. */
  readonly prose: readonly string[];
  readonly links: readonly Link[];
  readonly anchors: ReadonlySet<string>;

  /** @param path From the root of the repository. */
  constructor(readonly path: string) {
    const lines = readFileSync(path, 'utf8').split('\n');
    const blocks: CodeBlock[] = [];
    const prose: string[] = [];
    for (let index = 0; index < lines.length; index++) {
      const fence = /^```(\w*)$/.exec(lines[index] ?? '');
      prose.push(fence ? '' : (lines[index] ?? ''));
      if (!fence) {
        // A block in a form that is not read here would go untested.
        if (/^\s*(```|~~~)/.test(lines[index] ?? ''))
          throw new Error(`${path}:${index + 1}: begin with \`\`\``);
        continue;
      }
      const end = lines.indexOf('```', index + 1);
      if (end < 0) throw new Error(`${path}:${index + 1}: a block without an end`);
      const note = prose.slice(0, index).findLast((line) => line !== '');
      blocks.push({
        language: fence[1] ?? '',
        note: /^<!-- ts: (.+) -->$/.exec(note ?? '')?.[1],
        line: index + 2,
        code: lines.slice(index + 1, end).join('\n'),
      });
      prose.push(...Array.from({ length: end - index }, () => ''));
      index = end;
    }
    this.blocks = blocks;
    this.prose = prose;
    this.anchors = anchorsOf(prose);
    this.links = prose.flatMap((text, index) => linksIn(text, index + 1, dirname(path)));
  }
}

/** The folders with pages. */
const FOLDERS = ['.', 'docs', 'examples/reports', 'src/dashboard', 'test'];

/** All pages. */
export function pages(): Page[] {
  const found = FOLDERS.flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.md'))
      .map((file) => join(folder, file)),
  );
  return found.toSorted().map((path) => new Page(path));
}

/** The anchors that GitHub gives to headings; one that comes again gets a number. */
function anchorsOf(prose: readonly string[]): Set<string> {
  const anchors = new Set<string>();
  for (const line of prose) {
    const heading = /^#{1,6} (.+)$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const plain = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    let anchor = plain;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${plain}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

function linksIn(text: string, line: number, folder: string): Link[] {
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file = '', anchor] = target.split('#');
      return { line, file: file === '' ? '' : join(folder, file), anchor };
    });
}
