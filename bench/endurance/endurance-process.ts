/**
 * One instance that runs tick after tick, as fast as it can, and says how its heap grows.
 *
 *     node --expose-gc endurance-process.js PORT TICKS JOBS
 *
 * The `Date` of this process is moved on by a minute for each step of `JOBS` ticks, in the past.
 */
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { CronJob } from 'cron';
import { startApplication } from '../application.js';
import { newMinute, startInThePast } from '../clock.js';

/** What the process says at the end. */
export interface Endurance {
  readonly ticks: number;
  readonly seconds: number;
  /** After collection: before the first tick that counts, and along the way, in bytes. */
  readonly heaps: readonly number[];
}

const SECOND = 1000;
/** Part of the ticks that are run before the first look at the heap. */
const WARM_UP = 0.05;
const LOOKS = 10;
/** Timers of the last calls have ended by then, in milliseconds. */
const SETTLED = 300;

const [port = 0, ticks = 0, jobs = 1] = process.argv.slice(2).map(Number);
const steps = Math.ceil(ticks / jobs);
const warmUp = Math.ceil(steps * WARM_UP);

startInThePast();
const application = await startApplication([`redis://127.0.0.1:${port}`], 1, 'ENDURANCE');
const { service, fire, close } = application;
// All but one of the ticks are runs of `RedlockService.run`: the scheduler would work out the next time of each job.
const job = CronJob.from({ cronTime: '0 * * * * *', onTick: () => {}, start: false });

async function step(): Promise<void> {
  await newMinute();
  const runs = Array.from({ length: jobs - 1 }, (_none, index) => service.run(`run-${index}`, work, { job }));
  const [start, ...outcomes] = await Promise.all([fire(0), ...runs]);
  if (start === undefined || !outcomes.every(({ ran }) => ran)) throw new Error('A tick was not run');
}

function work(): void {}

async function heap(): Promise<number> {
  await pause(SETTLED);
  for (let count = 0; count < 3; count++) globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

for (let count = 0; count < warmUp; count++) await step();
const heaps = [await heap()];
const begin = performance.now();
for (let count = 1; count <= steps; count++) {
  await step();
  if (count % Math.ceil(steps / LOOKS) === 0 || count === steps) heaps.push(await heap());
}
const seconds = (performance.now() - begin) / SECOND;
const result: Endurance = { ticks: steps * jobs, seconds, heaps };
process.send?.(result);
await close();
process.disconnect();
