import { setTimeout as pause } from 'node:timers/promises';
import type { RedisServer } from '../../test/engine/redis-server.js';
import { startApplication } from '../application.js';
import { startByHand } from '../by-hand.js';
import { newMinute } from '../clock.js';
import { closeAll, connectTo } from '../connections.js';
import { TTL } from '../contenders/contender.js';
import type { CronJobs } from '../cron-jobs.js';
import { type Measured, type Spread, type Subject, ratioOf, spreadOf, takeTurns } from '../measure.js';
import type { Plan } from '../plan.js';
import { quiet } from '../waiting.js';

/** In milliseconds; the ratios are those to the raw one, of the same round. */
export interface StartFigures {
  readonly raw: Spread;
  readonly start: Spread;
  readonly ratio: Spread;
  /** The scripts alone, in a cron job of Nest. */
  readonly byHand: Spread;
  readonly byHandRatio: Spread;
}

export interface StartResults {
  /** One after another. */
  readonly busy: StartFigures;
  /** Each after a pause, as most ticks are. */
  readonly paused: StartFigures;
}

/** (b) From the call of the scheduler to the first line of the method, against one raw `SET NX PX`, on one node. */
export async function measureStarts(
  server: RedisServer,
  { jobs, rounds, pausedCalls, pause: pauseBefore }: Plan['starts'],
): Promise<StartResults> {
  const application = await startApplication([server.url], jobs);
  const clients = await connectTo([server]);
  const [client] = clients;
  if (!client) throw new Error('No connection');
  const byHand = await startByHand(client, jobs);
  let keys = 0;
  const raw: Subject<'start'> = {
    name: 'raw SET NX PX',
    async once() {
      const begin = performance.now();
      await client.set(`bench:start:${++keys}`, 'token', 'PX', TTL, 'NX');
      return { start: performance.now() - begin };
    },
    rest: quiet,
  };
  const subjects = [raw, startOf(application, jobs), startOf(byHand, jobs, 'by hand')];
  const prepare = newMinute;
  await takeTurns(subjects, { rounds: 10, batch: jobs, prepare });
  const busy = await takeTurns(subjects, { rounds, batch: jobs, prepare });
  const slowly = subjects.map((subject) => ({
    ...subject,
    async once() {
      await pause(pauseBefore);
      return subject.once();
    },
  }));
  const paused = await takeTurns(slowly, { rounds, batch: pausedCalls, prepare });
  await application.close();
  await byHand.close();
  await closeAll(clients);
  return { busy: figuresOf(busy), paused: figuresOf(paused) };
}

/** Calls one job after another: for each of them the minute is a new tick. */
export function startOf(cronJobs: CronJobs, jobs: number, name = 'decorated method'): Subject<'start'> {
  let next = 0;
  return {
    name,
    async once() {
      const start = await cronJobs.fire(next++ % jobs);
      if (start === undefined) throw new Error('A job did not run: was its tick a new one?');
      return { start };
    },
    rest: quiet,
  };
}

function figuresOf([raw, ours, byHand]: readonly Measured<'start'>[]): StartFigures {
  if (!raw || !ours || !byHand) throw new Error('Nothing was measured');
  return {
    raw: spreadOf(raw.rounds.start),
    start: spreadOf(ours.rounds.start),
    ratio: ratioOf(ours.rounds.start, raw.rounds.start),
    byHand: spreadOf(byHand.rounds.start),
    byHandRatio: ratioOf(byHand.rounds.start, raw.rounds.start),
  };
}
