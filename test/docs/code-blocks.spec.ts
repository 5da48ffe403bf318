/**
 * Each `ts` block of the pages is compiled, and some of them are run.
 *
 * A block with imports is a file as it stands. One without is a fragment: it gets the imports below, and the names in
 * `stand-ins.ts`. A comment before a block, which readers do not see, says what else it is:
 *
 * - `<!-- ts: class -->`: methods of a class
 * - `<!-- ts: run -->`: to be run, not only compiled
 * - `<!-- ts: file app.module.ts -->`: a file that other blocks of the page import
 * - `<!-- ts: test report.spec.ts -->`: a file with tests, which are run as tests of this file
 *
 * The name of a file can have folders, so that a page can show several versions of one file.
 *
 * Of each file that exports `AppModule`, two instances are started and fire their jobs: each prints what the other does
 * not, leaving aside at what time.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Type } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { start } from '../module/application.js';
import { clientOf, useServer } from '../module/redis.js';
import { type CodeBlock, pages } from './pages.js';

const FOLDER = 'build/docs';
const STAND_INS =
  'app, AppModule, cleanUp, ConfigModule, ConfigService, DelayedError, fleet, importAll, type Job, Jobs, letItEnd, ' +
  'ManualClock, metrics, MyNode, redlock, registry, SentryCron, start, started, Surroundings, tenants, work';
const IMPORTS = [
  "import { Injectable, Module } from '@nestjs/common'",
  "import { Cron, Interval, ScheduleModule, SchedulerRegistry, Timeout } from '@nestjs/schedule'",
  "import { CronJob } from 'cron'",
  "import { Cluster, Redis } from 'ioredis'",
  "import { readFileSync } from 'node:fs'",
  "import { Exclusive, MemoryNode, RedlockModule, RedlockService } from 'nestjs-exclusive'",
  "import { LOCK_NODE_CONTRACT, TestFleet } from 'nestjs-exclusive/testing'",
  "import { afterAll, describe, expect, it } from 'vitest'",
  `import { ${STAND_INS} } from '../../../test/docs/stand-ins.js'`,
];

interface Example {
  /** Where it is: a page and a line. */
  readonly place: string;
  /** The note before the block. */
  readonly note: string;
  /** The generated file, from the root of the repository. */
  readonly file: string;
  readonly text: string;
}

const examples = pages().flatMap(({ path, blocks }) =>
  blocks
    .filter(({ language }) => language === 'ts')
    .map((block): Example => {
      const [note = '', name = `line-${block.line}.ts`] = (block.note ?? '').split(' ');
      const place = `${path}:${block.line}`;
      if (!['', 'class', 'run', 'file', 'test'].includes(note)) {
        throw new Error(`${place}: what is "ts: ${note}"?`);
      }
      const folder = path.replace(/\.md$/, '').replaceAll('/', '-');
      return { place, note, file: join(FOLDER, folder, name), text: fileOf(block, note) };
    }),
);

/** The block as a file, with its lines at the numbers that they have on the page. */
function fileOf({ code, line }: CodeBlock, note: string): string {
  const hasImports = /^import /m.test(code);
  const before = [
    ...(hasImports ? [] : IMPORTS),
    ...(note === 'class' ? ['class Fragment extends Surroundings {'] : []),
  ].join('; ');
  return [before, '\n'.repeat(line - 1), code, note === 'class' ? '\n}\n' : '\nexport {};\n'].join('');
}

let complaints: readonly string[] = [];

// Not in a hook: the blocks with tests are imported while the tests of this file are collected.
rmSync(FOLDER, { recursive: true, force: true });
for (const { file, text } of examples) {
  mkdirSync(resolve(file, '..'), { recursive: true });
  writeFileSync(file, text);
}
writeFileSync(join(FOLDER, 'tsconfig.json'), JSON.stringify(configuration()));

beforeAll(() => {
  const tsc = 'node_modules/typescript/bin/tsc';
  const { stdout, stderr } = spawnSync(process.execPath, [tsc, '-p', FOLDER, '--pretty', 'false'], {
    encoding: 'utf8',
  });
  complaints = `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
});

/** As a user has it: `nodenext` asks for file endings that an application with a bundler does not write. */
function configuration(): object {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
    name: string;
    exports: Record<string, string | { types: string }>;
  };
  const entries = Object.entries(manifest.exports).flatMap(([entry, target]) =>
    typeof target === 'string'
      ? []
      : [
          [
            join(manifest.name, entry),
            [resolve(target.types.replace(/^\.\/dist\//, 'src/').replace(/\.d\.ts$/, '.ts'))],
          ],
        ],
  );
  return {
    extends: '../../tsconfig.json',
    compilerOptions: {
      module: 'ESNext',
      moduleResolution: 'bundler',
      noUnusedLocals: false,
      noUnusedParameters: false,
      noEmit: true,
      rootDir: '../..',
      paths: {
        ...(Object.fromEntries(entries) as object),
        redlock: [resolve('node_modules/redlock/dist/index.d.ts')],
      },
    },
    include: ['.'],
    exclude: [],
  };
}

it('has examples to look at, and compiles them', () => {
  expect(examples.length).toBeGreaterThan(5);
  expect(complaints.filter((line) => !examples.some(({ file }) => line.startsWith(file)))).toEqual([]);
});

it.each(examples)('$place compiles', ({ file }) => {
  expect(complaints.filter((line) => line.startsWith(file))).toEqual([]);
});

describe.each(examples.filter(({ note }) => note === 'test'))('$place:', async ({ file }) => {
  await import(pathToFileURL(resolve(file)).href);
});

describe('as they stand', () => {
  const server = useServer();

  /** Imports an example with a server of the test in place of theirs. */
  async function run({ file, text }: Example): Promise<Record<string, unknown>> {
    const copy = file.replace(/\.ts$/, '.run.ts');
    writeFileSync(copy, text.replaceAll(/redis:\/\/(10\.1\.1\.1|localhost):6379/g, server.it.url));
    return (await import(pathToFileURL(resolve(copy)).href)) as Record<string, unknown>;
  }

  it.each(examples.filter(({ note }) => note === 'run'))('$place runs', async (example) => {
    await expect(run(example)).resolves.toBeDefined();
  });

  const applications = examples.filter(({ text }) => text.includes('export class AppModule'));

  it('are some', () => expect(applications.length).toBeGreaterThan(0));

  it.each(applications)('$place: of two instances, one runs each tick', async (example) => {
    const { AppModule } = (await run(example)) as { AppModule: Type };
    await clientOf(server.it).flushall();
    const says = vi.spyOn(console, 'log').mockImplementation(() => {});
    onTestFinished(() => says.mockRestore());
    const apps = await Promise.all([1, 2].map(() => start({ redlock: null, imports: [AppModule] })));
    const jobs = apps.flatMap((app) => [...app.get(SchedulerRegistry).getCronJobs().values()]);
    expect(jobs).toHaveLength(2);
    for (const job of jobs) job.waitForCompletion = true;
    await Promise.all(jobs.map((job) => job.fireOnTick()));
    const said = says.mock.calls.map((call) => String(call).replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'now'));
    expect(said).not.toEqual([]);
    expect(said).toEqual([...new Set(said)]);
  });
});
