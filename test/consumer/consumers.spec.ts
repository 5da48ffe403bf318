import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { addressesIn } from '../dashboard/page-addresses.js';
import { clientOf, useServer } from '../module/redis.js';
import { EACH_TICK_ONCE, LIFE, PATIENCE, SOURCES, useConsumers, verdictOn } from './consumer.js';
import { loadedByEntry } from './entries.js';

interface Kind {
  readonly what: string;
  readonly folder: 'nest-11' | 'nest-12';
  /** The script that compiles it in another way, and what that is. */
  readonly otherBuild: readonly [script: string, what: string];
  readonly tests: string;
  /** What its test runner says at the end. */
  readonly passed: RegExp;
}

const KINDS: Kind[] = [
  {
    what: 'NestJS 11, @nestjs/schedule 6 and ioredis 5, in CommonJS with TypeScript 5',
    folder: 'nest-11',
    otherBuild: [
      'build:node10',
      'with module commonjs and moduleResolution node10, without strictNullChecks',
    ],
    tests: 'Jest',
    passed: /Tests: +5 passed, 5 total/,
  },
  {
    what: 'NestJS 12, @nestjs/schedule 12 and ioredis 6, in ESM with TypeScript 7',
    folder: 'nest-12',
    otherBuild: ['build:bundler', 'with moduleResolution bundler'],
    tests: 'Vitest',
    passed: /Tests +\d+ passed \(\d+\)/,
  },
];

/** Where the provider is whose connection a run needs until its end. */
const LAYOUTS = [
  'in AppModule',
  'in a global module before RedlockModule',
  'in a global module after RedlockModule',
  'in a module that the feature module imports',
  'in AppModule, where RedlockModule is not global',
  'in a global module, where RedlockModule is not global',
];

/** What only one entry may load: a package, or a class. */
const OWN = {
  './testing': ['@nestjs/testing', 'TestFleet'],
  './opentelemetry': ['@opentelemetry/api', 'RedlockTelemetryModule'],
  './dashboard': ['RedlockDashboardModule', 'Assets'],
};

/** An application with the dashboard, in which a method is called with a wrong argument. */
const WRONG_CALL = `
  import 'reflect-metadata';
  import { Module } from '@nestjs/common';
  import { NestFactory } from '@nestjs/core';
  import { RedlockModule, RedlockService } from 'nestjs-exclusive';
  import { RedlockDashboardModule } from 'nestjs-exclusive/dashboard';
  class AppModule {}
  Module({ imports: [RedlockModule.forRoot({ nodes: 'memory' }), RedlockDashboardModule.forRoot()] })(AppModule);
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  await app.get(RedlockService).lock('report', 'no options').catch(({ stack }) => console.log(stack));
  await app.close();
`;

const IN_ORDER = 'finished, then database closed';

/**
 * Says what an application did at shutdown.
 *
 * @param lines What it printed.
 * @param signalled When it got the signal.
 */
function outcomeOf(lines: readonly string[], signalled: number): string {
  const begun = lines.filter((line) => line.startsWith('begun'));
  const others = lines.filter((line) => !begun.includes(line));
  const newest = Math.max(...begun.map((line) => Number(line.split(' ')[1])));
  if (newest > signalled) return `claimed the tick ${newest} after the signal at ${signalled}`;
  if (signalled - newest > 1000) return 'was told to stop when nothing ran';
  const isInOrder = others.join() === [...begun.map(() => 'finished'), 'database closed'].join();
  return isInOrder ? IN_ORDER : lines.join('\n');
}

const consumers = useConsumers({
  'nest-11': ['nest-11', 'application', 'ledger'],
  'nest-12': ['nest-12', 'application', 'ledger'],
});

async function manifestOf(path: string): Promise<{ version: string; dependencies: Record<string, string> }> {
  return JSON.parse(await readFile(join(path, 'package.json'), 'utf8')) as never;
}

describe('the package', { timeout: PATIENCE }, () => {
  const consumer = consumers['nest-12'];

  it('no entry loads the code of another one, or a package that only another one needs', async () => {
    const loaded = Object.entries(await loadedByEntry(join(consumer.home, 'node_modules/nestjs-exclusive')));
    const entriesWith = (part: string): string[] =>
      loaded.flatMap(([entry, { packages, classes }]) =>
        packages.has(part) || classes.has(part) ? [entry] : [],
      );
    for (const [owner, parts] of Object.entries(OWN)) {
      for (const part of parts) expect([part, entriesWith(part)]).toEqual([part, [owner]]);
    }
  });

  it('the entries share their classes, and stack traces show their names', async () => {
    const output = await consumer.start(['--input-type=module', '--eval', WRONG_CALL]).ended;
    expect(output).toMatch(/^InvalidOptionError: lock\(\): options must be an object/);
    expect(output).toMatch(/^ +at RedlockService\.lock \(/m);
  });
});

describe.each(KINDS)('with $what', { timeout: PATIENCE }, (kind) => {
  const server = useServer();
  const consumer = consumers[kind.folder];
  const env = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({ REDIS_URL: server.it.url, ...more });
  const start = (more: NodeJS.ProcessEnv = {}) =>
    consumer.start(['dist/main.js'], env({ LIFE: String(LIFE), ...more }));

  it('the versions are the ones that are meant, and there is one copy of cron', async () => {
    const { dependencies } = await manifestOf(join(SOURCES, kind.folder));
    for (const [name, range] of Object.entries(dependencies)) {
      const { version } = await manifestOf(join(consumer.home, 'node_modules', name));
      expect(version.split('.')[0]).toBe(range.slice(1).split('.')[0]);
    }
    expect(await readdir(join(consumer.home, 'node_modules/nestjs-exclusive'))).not.toContain('node_modules');
  });

  it('the compiler finds nothing wrong with skipLibCheck false', async () => {
    expect(await consumer.script('build')).toBe('');
  });

  it(`the compiler finds nothing wrong ${kind.otherBuild[1]}`, async () => {
    expect(await consumer.script(kind.otherBuild[0])).toBe('');
  });

  // `cron` skips a tick in a process that stalls for more than 250 ms. If both do, they are started again.
  it('each tick runs once over two processes, in both orders of the decorators', { retry: 2 }, async () => {
    const client = clientOf(server.it);
    await client.flushall();
    expect(await Promise.all([start().ended, start().ended])).toEqual(['', '']);
    for (const name of ['below', 'above']) {
      expect(verdictOn(await client.lrange(`runs of ${name}`, 0, -1))).toBe(EACH_TICK_ONCE);
    }
  });

  it('the application does not start without RedlockModule, and says what to add', async () => {
    const failure = start({ WITHOUT_MODULE: 'yes' }).ended;
    await expect(failure).rejects.toThrow('add RedlockModule.forRoot(...) to the imports of AppModule');
    await expect(failure).rejects.toThrow("Nest can't resolve dependencies of the Jobs");
  });

  it.each(['Express', 'Fastify'])(
    'the dashboard on %s answers whom its guard lets in, below a global prefix and with versions in URLs',
    async (PLATFORM) => {
      const program = consumer.start(['dist/dashboard.js'], env({ PLATFORM }));
      await program.prints('listening ');
      const origin = program.lines.flatMap((line) => /^listening (.+)/.exec(line)?.[1] ?? []).join();
      const page = `${origin}/api/jobs`;
      const key = { 'x-key': 'sesame' };
      const html = await (await fetch(page, { headers: key })).text();
      const { files, overview } = addressesIn(html, page);
      const addresses = [page, ...files, overview];
      const typesFor = (headers: Record<string, string>) =>
        Promise.all(
          addresses.map(async (address) => {
            const { status, headers: sent } = await fetch(address, { headers });
            return `${status} ${sent.get('content-type')?.split(';', 1).join()}`;
          }),
        );
      expect(await typesFor(key)).toEqual([
        '200 text/html',
        '200 image/svg+xml',
        '200 text/css',
        '200 text/javascript',
        '200 application/json',
      ]);
      expect(await typesFor({})).toEqual(addresses.map(() => '403 application/json'));
      const pause = (headers: Record<string, string>) =>
        fetch(new URL('pause', overview), {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: JSON.stringify({ name: 'nightly' }),
        });
      const ours = { 'x-redlock-dashboard': '1' };
      expect([(await pause(ours)).status, (await pause(key)).status]).toEqual([403, 403]);
      expect(await (await pause({ ...key, ...ours })).json()).toEqual({
        name: 'nightly',
        outcome: 'paused',
      });
    },
  );

  it(`its tests pass, with a fleet in ${kind.tests}`, async () => {
    expect(await consumer.script('test', env())).toMatch(kind.passed);
  });

  it(
    'on SIGTERM, runs in progress finish before the database closes, and no new tick is claimed',
    { retry: 2 },
    async () => {
      const outcomes = await Promise.all(
        LAYOUTS.map(async (layout) => {
          const program = consumer.start(['dist/shutdown.js'], env({ LAYOUT: layout }));
          await program.prints('begun');
          // The middle of a second is the middle of a run.
          await delay(1500 - (Date.now() % 1000));
          const signalled = Date.now();
          program.kill('SIGTERM');
          await program.ended;
          return outcomeOf(program.lines, signalled);
        }),
      );
      expect(Object.fromEntries(LAYOUTS.map((layout, index) => [layout, outcomes[index]]))).toEqual(
        Object.fromEntries(LAYOUTS.map((layout) => [layout, IN_ORDER])),
      );
    },
  );
});
