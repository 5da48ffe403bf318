/**
 * How fast this package is, and how much it asks of Redis: `npm run bench`, or `BENCH_QUICK=1 npm run bench` for a
 * fast pass. Starts its own Redis servers. Prints tables, and writes `bench/results.json` and `docs/scaling.svg`.
 * Never fails on a time.
 */
import { writeFileSync } from 'node:fs';
import { RedisServer } from '../test/engine/redis-server.js';
import { startInThePast } from './clock.js';
import { closeAll, connectTo } from './connections.js';
import { describeMachine, ROOT } from './machine.js';
import { plan } from './plan.js';
import { svgOf } from './plot.js';
import * as report from './report.js';
import type { Results } from './results.js';
import { measureContention } from './sections/contention.js';
import { beginEndurance } from './sections/endurance.js';
import { measureJobs } from './sections/jobs.js';
import { measureLocks } from './sections/locks.js';
import { measureSlowNode } from './sections/slow-node.js';
import { measureStarts } from './sections/starts.js';
import { showsOf } from './shows.js';

const SERVERS = 5;
/** As many connections as the largest fleet needs; Redis takes fewer where the system gives it fewer. */
const MANY_CLIENTS = '12000';

const began = new Date();
const beginning = performance.now();
const machine = describeMachine();
report.printMachine(machine, plan.name);

startInThePast();

// First, as it has to look at its keys again a minute later.
const endEndurance = await step('many ticks', () => beginEndurance(plan.endurance));

const args = machine.engineKind === 'native' ? ['--maxclients', MANY_CLIENTS] : [];
const servers = await Promise.all(Array.from({ length: SERVERS }, () => RedisServer.start({ args })));
const [first] = servers;
if (!first) throw new Error('No server');

const locks = await step('locks', () => measureLocks(servers, plan.locks));
report.printLocks(locks);
const starts = await step('starts', () => measureStarts(first, plan.starts));
report.printStarts(starts);
const slowNode = await step('a slow node', () => measureSlowNode(servers, plan.slowNode));
report.printSlowNode(slowNode);
const jobs = await step('many jobs', () => measureJobs(first, plan.jobs));
report.printJobs(jobs);
const maxClients = await maxClientsOf(first);
const contention = await step('many instances', () => {
  return measureContention(servers, maxClients, plan.contention);
});
report.printContention(contention);
const endurance = await step('keys, a minute later', endEndurance);
report.printEndurance(endurance);

const results: Results = {
  plan: plan.name,
  began: began.toISOString(),
  machine,
  locks,
  starts,
  jobs,
  contention,
  slowNode,
  endurance,
};
const growth = report.printGrowth(results);
const shows = showsOf(results);
report.printShows(shows);

writeFileSync(
  new URL('bench/results.json', ROOT),
  `${JSON.stringify({ ...results, growth, shows }, null, 2)}\n`,
);
// A fast pass must not replace the picture of a full run.
const picture = plan.name === 'full' ? 'docs/scaling.svg' : 'build/bench/scaling.svg';
writeFileSync(new URL(picture, ROOT), svgOf(growth));
const seconds = (performance.now() - beginning) / 1000;
console.log(`\nWritten: bench/results.json, ${picture}. Took ${seconds.toFixed(0)} s`);
await Promise.all(servers.map((server) => server.stop()));

async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  console.error(`… ${name}`);
  return work();
}

async function maxClientsOf(server: RedisServer): Promise<number> {
  const clients = await connectTo([server]);
  const [, value] = ((await clients[0]?.config('GET', 'maxclients')) ?? []) as unknown[];
  await closeAll(clients);
  return Number(value);
}
