/**
 * The application in `examples/reports`, as somebody has it who copied the folder out: installed from its own
 * package.json, and started as its Dockerfile and compose.yaml say, without Docker.
 */
import { access, cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from '@lukeed/ms';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { freePort } from '../engine/redis-server.js';
import { clientOf, useServer } from '../module/redis.js';
import { npm } from '../npm.js';
import { Instance } from './instance.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const EXAMPLE = join(ROOT, 'examples/reports');
/** For the installation on a busy machine, in milliseconds. */
const PATIENCE = 240_000;
/** For what comes within one period of a job, in milliseconds. */
const SOON = { timeout: 15_000, interval: 20 };
const TURNOVER_PERIOD = 2000;
const RANKING_PERIOD = 4000;
/** Two runs of `@Interval(3000)` are as much apart, less a tenth, and less what a line of the log may be late. */
const TIDY_DISTANCE = 2000;

/** What is looked at in compose.yaml. */
interface Service {
  readonly build?: string;
  readonly environment: {
    readonly REDIS_URL: string;
    readonly SHUTDOWN_TIMEOUT: string;
    readonly PORT: string;
  };
  readonly ports: string[];
  readonly depends_on: Record<string, unknown>;
  readonly stop_grace_period: string;
}

const server = useServer();
let folder: string;
let services: Record<string, Service>;
const instances: Instance[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reports-'));
  await cp(EXAMPLE, folder, { recursive: true, filter: isSource });
  await npm(folder, 'install', '--no-save', '--strict-peer-deps', inject('packed'), 'yaml@^2.8.0');
  await npm(folder, 'run', 'build');

  const yaml = createRequire(join(folder, 'package.json'))('yaml') as {
    parse(text: string, options: { merge: boolean }): unknown;
  };
  const text = await readFile(join(folder, 'compose.yaml'), 'utf8');
  ({ services } = yaml.parse(text, { merge: true }) as { services: Record<string, Service> });
  await Promise.all(instanceServices().map(({ environment }) => startInstance(environment)));
}, PATIENCE);
afterAll(async () => {
  for (const instance of instances) instance.kill('SIGKILL');
  await Promise.all(instances.map(({ gone }) => gone));
  await rm(folder, { recursive: true, force: true });
});

/** Not what somebody left there who tried the example in its place. */
function isSource(path: string): boolean {
  return !/[/\\](node_modules|dist|[^/\\]+\.tgz)$/.test(path);
}

function instanceServices(): Service[] {
  return Object.values(services).filter(({ build }) => build !== undefined);
}

async function startInstance(environment: Service['environment']): Promise<Instance> {
  const dockerfile = await readFile(join(folder, 'Dockerfile'), 'utf8');
  const instance = new Instance({
    command: JSON.parse(/^CMD (.*)$/m.exec(dockerfile)?.[1] ?? '') as [string, ...string[]],
    cwd: folder,
    env: { NODE_ENV: 'production', ...environment, REDIS_URL: server.it.url },
    port: await freePort(),
  });
  instances.push(instance);
  await instance.ready('/health');
  return instance;
}

/** What all instances logged that matches, in the order of time; `found` is the first group. */
function lines(pattern: RegExp): { instance: Instance; level: string; timestamp: number; found: string }[] {
  return instances
    .flatMap((instance) => instance.log.map((line) => ({ instance, ...line })))
    .filter(({ message }) => pattern.test(message))
    .map((line) => ({ ...line, found: pattern.exec(line.message)?.[1] ?? '' }))
    .toSorted((a, b) => a.timestamp - b.timestamp);
}

const BEGUN = /^Ranking of (\S+) begins$/;
const STORED = /^Ranking of (\S+) stored$/;

/** Waits for the next run of it to begin. */
async function nextRanking(): Promise<{ instance: Instance; tick: string }> {
  const known = lines(BEGUN).length;
  await expect.poll(() => lines(BEGUN).length, SOON).toBeGreaterThan(known);
  const { instance, found } = lines(BEGUN).at(-1)!;
  return { instance, tick: found };
}

/** Resolves to the status of the answer. */
async function order(instance: Instance, body: unknown): Promise<number> {
  const headers = { 'content-type': 'application/json' };
  const answer = await instance.fetch('/orders', { method: 'POST', headers, body: JSON.stringify(body) });
  return answer.status;
}

async function json(instance: Instance, path: string): Promise<unknown> {
  const answer = await instance.fetch(path);
  expect(answer.status).toBe(200);
  return answer.json();
}

/** One after another, each once. */
function expectConsecutive(ticks: string[], period: number): void {
  const first = Date.parse(ticks[0] ?? '');
  expect(first % period).toBe(0);
  expect(ticks.map((tick) => Date.parse(tick))).toEqual(ticks.map((_tick, index) => first + index * period));
}

/** What is no ordinary line of the log. */
const troubles = (): unknown[] => [
  ...lines(/(?:)/).filter(({ level }) => level !== 'log'),
  // `cron` says so if the machine is busy; the tick is run nevertheless.
  ...instances
    .flatMap(({ otherOutput }) => otherOutput)
    .filter((line) => !line.includes('Missed execution deadline')),
];

describe('the files for Docker, which is not run here', () => {
  it('are three instances, each with a port of its own and time enough to shut down, and their Redis', async () => {
    expect(instanceServices()).toHaveLength(3);
    const published = instanceServices().flatMap(({ ports }) => ports.map((port) => port.split(':')[0]));
    expect(new Set(published).size).toBe(3);
    for (const { build, environment, ports, depends_on, stop_grace_period } of instanceServices()) {
      await access(join(folder, build!, 'Dockerfile'));
      const redis = new URL(environment.REDIS_URL).hostname;
      expect(Object.keys(services)).toContain(redis);
      expect(Object.keys(depends_on)).toContain(redis);
      expect(ports).toEqual([expect.stringMatching(new RegExp(`^\\d+:${environment.PORT}$`))]);
      expect(parse(stop_grace_period)).toBeGreaterThan(parse(environment.SHUTDOWN_TIMEOUT)! + 1000);
    }
  });
});

// One life of the fleet: the tests stand in its order.
describe('three instances', { timeout: 60_000 }, () => {
  it('are one application to those who ask over HTTP', async () => {
    const [one, two, three] = instances as [Instance, Instance, Instance];
    expect(await order(one, { customer: 'Ann', amount: 250 })).toBe(201);
    expect(await order(two, { customer: 'Bob', amount: 300 })).toBe(201);
    expect(await order(three, { customer: 'Ann', amount: 100 })).toBe(201);
    expect(await order(three, { customer: 'Bob', amount: -1 })).toBe(400);
    expect(await order(three, { customer: '', amount: 1 })).toBe(400);

    const { tick } = await nextRanking();
    await expect.poll(() => lines(STORED).at(-1)?.found, SOON).toBe(tick);
    for (const instance of instances) {
      expect(await json(instance, '/ranking')).toEqual({ tick, customers: ['Ann', 'Bob'] });
      expect(await json(instance, '/reports')).toContainEqual(
        expect.objectContaining({ orders: 3, revenue: 650 }),
      );
    }
  });

  it('say of their health which run and which skip they have seen last', async () => {
    const { instance: runner, found: tick } = lines(STORED).at(-1)!;
    const ran = { lastRun: { tick, state: 'finished' } };
    const skipped = { lastSkip: { tick, reason: expect.stringMatching(/^(elsewhere|settled)$/) as unknown } };
    for (const instance of instances) {
      const { jobs } = (await json(instance, '/health')) as { jobs: Record<string, unknown> };
      expect(jobs).toHaveProperty('turnover');
      expect(jobs['ranking']).toMatchObject(instance === runner ? ran : skipped);
    }
  });

  it('finish the run in progress at SIGTERM, and exit with 0', async () => {
    const { instance: runner, tick } = await nextRanking();
    runner.kill('SIGTERM');
    expect(lines(STORED).at(-1)?.found).not.toBe(tick);
    expect(await runner.gone).toBe(0);
    expect(lines(STORED).at(-1)).toMatchObject({ instance: runner, found: tick });
    expect(troubles()).toEqual([]);
  });

  it('do not overwrite a ranking that is newer', async () => {
    // Their life ends here, and how long it was depends on when in a minute it began.
    await expect.poll(() => lines(/^Tidied/).length, SOON).toBeGreaterThanOrEqual(3);
    const { instance: runner, tick } = await nextRanking();
    const newer = { tick: `${Date.parse(tick) + 1}`, customers: '["Cid"]' };
    await clientOf(server.it).hset('ranking', newer);
    for (const instance of instances) instance.kill('SIGTERM');
    expect(await Promise.all(instances.map(({ gone }) => gone))).toEqual([0, 0, 0]);

    const message = `Ranking of ${tick} not stored: there is a newer one`;
    expect(troubles()).toEqual([expect.objectContaining({ instance: runner, level: 'warn', message })]);
    expect(await clientOf(server.it).hgetall('ranking')).toEqual(newer);
  });

  it('have run each tick once, and once per interval, in all their life', async () => {
    const reports = await clientOf(server.it).lrange('reports', 0, -1);
    const turnovers = reports.map((report) => (JSON.parse(report) as { tick: string }).tick).toReversed();
    expect(turnovers.length).toBeGreaterThanOrEqual(4);
    expectConsecutive(turnovers, TURNOVER_PERIOD);

    const rankings = lines(BEGUN).map(({ found }) => found);
    expect(rankings.length).toBeGreaterThanOrEqual(3);
    expectConsecutive(rankings, RANKING_PERIOD);

    const tidied = lines(/^Tidied/).map(({ timestamp }) => timestamp);
    expect(tidied.length).toBeGreaterThanOrEqual(3);
    for (const [index, timestamp] of tidied.slice(1).entries()) {
      expect(timestamp - tidied[index]!).toBeGreaterThan(TIDY_DISTANCE);
    }
  });
});
