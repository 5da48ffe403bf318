import { setTimeout as pause } from 'node:timers/promises';
import type { RedisServer } from '../../test/engine/redis-server.js';
import { type Application, startApplication } from '../application.js';
import { newMinute } from '../clock.js';
import { closeAll, connectTo } from '../connections.js';
import { TTL } from '../contenders/contender.js';
import { type Measured, type Spread, type Subject, ratioOf, spreadOf, takeTurns } from '../measure.js';
import type { Plan } from '../plan.js';
import { quiet } from '../waiting.js';

/** In milliseconds; the ratio is that of the same round. */
export interface StartFigures {
  readonly raw: Spread;
  readonly start: Spread;
  readonly ratio: Spread;
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
  const subjects = [raw, startOf(application, jobs)];
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
  await closeAll(clients);
  return { busy: figuresOf(busy), paused: figuresOf(paused) };
}

/** Calls one job after another: for each of them the minute is a new tick. */
export function startOf(application: Application, jobs: number, name = 'decorated method'): Subject<'start'> {
  let next = 0;
  return {
    name,
    async once() {
      const start = await application.fire(next++ % jobs);
      if (start === undefined) throw new Error('A job did not run: was its tick a new one?');
      return { start };
    },
    rest: quiet,
  };
}

function figuresOf([raw, ours]: readonly Measured<'start'>[]): StartFigures {
  if (!raw || !ours) throw new Error('Nothing was measured');
  return {
    raw: spreadOf(raw.rounds.start),
    start: spreadOf(ours.rounds.start),
    ratio: ratioOf(ours.rounds.start, raw.rounds.start),
  };
}
