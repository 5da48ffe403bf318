/** A process full of instances, which claim what it is told to. Argument: `Instances`, as JSON. */
import { subscribe } from 'node:diagnostics_channel';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { CronJob } from 'cron';
import type { Build } from '../builds.js';
import { type Claim, startInstance, startRedlockInstance } from './instance.js';
import { type Answer, type Instances, monotonicNow, type Order } from './protocol.js';

/** How many instances connect at a time. */
const CONNECT_AT_ONCE = 50;

Logger.overrideLogger(false);
process.on('disconnect', () => process.exit());
let unanswered = 0;
let most = 0;
subscribe('tracing:ioredis:command:start', () => void (most = Math.max(most, ++unanswered)));
subscribe('tracing:ioredis:command:asyncEnd', () => void unanswered--);

const options = JSON.parse(process.argv[2] ?? '') as Instances;
const { contender, count } = options;
const build = contender === 'redlock' ? undefined : ((await import(contender)) as Build['exports']);
const start = () => (build ? startInstance(build, options) : startRedlockInstance(options));
const claims: Claim[] = [];
while (claims.length < count) {
  const next = Math.min(CONNECT_AT_ONCE, count - claims.length);
  claims.push(...(await Promise.all(Array.from({ length: next }, start))));
}
process.on('message', (order: Order) => void claimAll(order).then((answer) => process.send?.(answer)));
process.send?.('connected');

async function claimAll({ jobs, tick, due, work, spread }: Order): Promise<Answer> {
  const runs: { job: string; startedAt: number }[] = [];
  // A date, and not an expression: to compute a next tick would compete with the claims.
  const cronJob = CronJob.from({ cronTime: new Date(tick), onTick: () => {}, start: false });
  const delays = monitorEventLoopDelay({ resolution: 1 });
  await pause(due - monotonicNow());
  most = unanswered;
  delays.enable();
  const run = async (job: string): Promise<void> => {
    runs.push({ job, startedAt: monotonicNow() });
    if (work > 0) await pause(work);
  };
  const reasons = await Promise.all(
    claims.flatMap((claim) => jobs.map((job) => claim(job, cronJob, () => run(job), spread))),
  );
  delays.disable();
  const storeDown = reasons.filter((reason) => reason === 'store-down').length;
  return { runs, storeDown, inFlight: most, loopDelay: delays.max / 1e6 };
}
