import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useServer } from '../module/redis.js';
import { LIFE, PATIENCE, useConsumers } from './consumer.js';

/** A run of a job, as `@nestjs/observe` sends it. */
interface ObservedJob {
  /** Its name. */
  readonly n: string;
}

/** What an instance has answered. */
interface Answer {
  readonly status: number;
  readonly text: string;
}

/** What both instances have answered, by path. */
type Answers = Readonly<Record<'/ready' | '/live' | '/metrics' | '/spans', readonly Answer[]>>;

interface Span {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly parentSpanContext?: object;
}

const PATHS = ['/ready', '/live', '/metrics', '/spans'] as const;

const consumers = useConsumers({ monitoring: ['monitoring'] });

describe('an application with OpenTelemetry, Prometheus, @nestjs/terminus and @nestjs/observe', () => {
  const server = useServer();
  const observed: ObservedJob[] = [];
  /** Takes the place of the collector of `@nestjs/observe`. */
  const collector = createServer((request, response) => {
    void json(request.pipe(createGunzip())).then((batch) => {
      observed.push(...((batch as { jobs?: ObservedJob[] }).jobs ?? []));
      response.end('{}');
    });
  });
  let up: Answers;
  let down: Answers;

  const ask = async (urls: readonly string[]): Promise<Answers> => {
    const answers = PATHS.map(async (path) => {
      const get = async (url: string): Promise<Answer> => {
        const response = await fetch(url + path);
        return { status: response.status, text: await response.text() };
      };
      return [path, await Promise.all(urls.map(get))] as const;
    });
    return Object.fromEntries(await Promise.all(answers)) as Answers;
  };

  beforeAll(async () => {
    await consumers.monitoring.script('build');
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    const { port } = collector.address() as AddressInfo;
    const env = { REDIS_URL: server.it.url, COLLECTOR: `http://127.0.0.1:${port}` };
    const instances = [1, 2].map(() => consumers.monitoring.start(['dist/main.js'], env));
    await Promise.all(instances.map((instance) => instance.prints('listening ')));
    const urls = instances.flatMap(({ lines }) =>
      lines.flatMap((line) => /^listening (.+)/.exec(line)?.[1] ?? []),
    );
    await delay(LIFE);
    up = await ask(urls);
    await server.it.kill();
    down = await ask(urls);
  }, PATIENCE);
  afterAll(() => void collector.close());

  /** The sum of a metric over both instances, of the series with these labels. */
  const sumOf = (metric: string, labels: string): number =>
    up['/metrics']
      .flatMap(({ text }) => text.split('\n'))
      .filter((line) => line.startsWith(`${metric}{`) && line.includes(labels))
      .reduce((sum, line) => sum + Number(line.split(' ')[1]), 0);
  const runs = (): number => sumOf('nestjs_exclusive_runs_total', 'job_name="report",job_outcome="finished"');
  const spans = (): Span[] => up['/spans'].flatMap(({ text }) => JSON.parse(text) as Span[]);

  it('counts each run once over the fleet, and each lost call on the instance that lost it', () => {
    expect(runs()).toBeGreaterThanOrEqual(3);
    const skips = sumOf('nestjs_exclusive_skips_total', 'job_name="report"');
    expect(Math.abs(skips - runs())).toBeLessThanOrEqual(1);
    expect(sumOf('nestjs_exclusive_run_duration_count', 'job_name="report"')).toBe(runs());
    expect(sumOf('nestjs_exclusive_run_start_delay_count', 'job_name="report"')).toBe(runs());
  });

  it('tells the state of each instance', () => {
    for (const { status, text } of up['/metrics']) {
      expect(status).toBe(200);
      expect(text).toMatch(/^nestjs_exclusive_since_last_success\{job_name="report"[^}]*\} [\d.e-]+$/m);
      expect(text).toMatch(/^nestjs_exclusive_node_up\{node_address="127.0.0.1:\d+"[^}]*\} 1$/m);
      expect(text).toMatch(/^nestjs_exclusive_node_latency\{/m);
      expect(text).toMatch(/^nestjs_exclusive_held_leases\{?.* \d+$/m);
    }
    for (const { text } of down['/metrics']) expect(text).toMatch(/^nestjs_exclusive_node_up\{.*\} 0$/m);
  });

  it('has one root span for each run, and none for a call that lost', () => {
    const reports = spans().filter(({ name }) => name === 'report');
    expect(reports.length - runs()).toBeLessThanOrEqual(1);
    const ticks = reports.map(({ attributes }) => attributes['job.tick']);
    expect(new Set(ticks).size).toBe(reports.length);
    expect(reports.filter(({ parentSpanContext }) => parentSpanContext)).toEqual([]);
  });

  it('is ready while a quorum answers and not without one, and alive in both cases', () => {
    for (const { status, text } of up['/ready']) {
      expect([status, JSON.parse(text)]).toMatchObject([
        200,
        { info: { jobs: { status: 'up', overdue: [] } } },
      ]);
    }
    for (const { status, text } of down['/ready']) {
      const unreachable = [`127.0.0.1:${server.it.port}`];
      expect([status, JSON.parse(text)]).toMatchObject([503, { error: { jobs: { unreachable } } }]);
    }
    expect([...up['/live'], ...down['/live']].map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });

  it('runs each tick once also where @nestjs/observe calls the method without tracing it', () => {
    const ticks = spans().flatMap(({ name, attributes }) =>
      name === 'unobserved' ? (attributes['job.tick'] ?? []) : [],
    );
    expect(ticks.length).toBeGreaterThanOrEqual(3);
    expect(new Set(ticks).size).toBe(ticks.length);
    expect(sumOf('nestjs_exclusive_skips_total', 'job_name="unobserved"')).toBeGreaterThanOrEqual(2);
  });

  it('@nestjs/observe reports the calls of all instances as runs, unless it is told to ignore the job', () => {
    expect(observed.filter(({ n }) => n === 'report').length).toBeGreaterThan(runs());
    expect(observed.filter(({ n }) => n === 'unobserved')).toEqual([]);
  });
});
