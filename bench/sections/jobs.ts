import type { RedisServer } from '../../test/engine/redis-server.js';
import { startApplication } from '../application.js';
import { startByHand } from '../by-hand.js';
import { newMinute } from '../clock.js';
import { closeAll, connectTo } from '../connections.js';
import { TTL } from '../contenders/contender.js';
import { type Spread, ratioOf, spreadOf, takeTurns } from '../measure.js';
import type { Size } from '../plan.js';
import { quiet } from '../waiting.js';

/** So many jobs on one tick, in milliseconds. */
export interface JobFigures {
  readonly jobs: number;
  /** All raw `SET NX PX` at once, until the last answer. */
  readonly raw: Spread;
  /** Until the last method has started. */
  readonly allStarted: Spread;
  readonly ratio: Spread;
  /** The scripts alone, in cron jobs of Nest. */
  readonly byHand: Spread;
  readonly byHandRatio: Spread;
  /** The fewest that started in any round: fewer than `jobs` where some got no answer within `nodeTimeout`. */
  readonly started: number;
}

export interface JobResults {
  readonly sizes: readonly JobFigures[];
  /** What was left out, and why. */
  readonly leftOut: readonly string[];
}

/** The longest that an application may take to start with its jobs, in milliseconds, to be measured here. */
const PATIENCE = 120_000;

/** (c) Many jobs on the same tick in one instance, until all have started, against as many raw `SET NX PX` at once. */
export async function measureJobs(server: RedisServer, sizes: readonly Size[]): Promise<JobResults> {
  const results: JobFigures[] = [];
  const leftOut: string[] = [];
  const clients = await connectTo([server]);
  const [client] = clients;
  if (!client) throw new Error('No connection');
  let perJob = 0;
  let keys = 0;
  for (const { count, rounds } of sizes) {
    // It takes as long again after each tick to work out the ones to come.
    if (perJob * count * (1 + rounds / 3) > PATIENCE) {
      leftOut.push(`${count} jobs: their ticks alone would take ${Math.round((perJob * count) / 1000)} s`);
      continue;
    }
    const begin = performance.now();
    const application = await startApplication([server.url], count);
    perJob = (performance.now() - begin) / count;
    const handMade = await startByHand(client, count);
    const raw = {
      name: 'raw',
      async once() {
        const sent = performance.now();
        const commands = Array.from({ length: count }, () =>
          client.set(`bench:jobs:${++keys}`, 'token', 'PX', TTL, 'NX'),
        );
        await Promise.all(commands);
        return { all: performance.now() - sent };
      },
      rest: quiet,
    };
    let fewest = count;
    const ours = {
      name: 'ours',
      async once() {
        const { last, started } = await application.fireAll();
        fewest = Math.min(fewest, started);
        return { all: last };
      },
      rest: quiet,
    };
    const byHand = {
      name: 'by hand',
      async once() {
        const { last, started } = await handMade.fireAll();
        if (started < count) throw new Error(`By hand, ${started} of ${count} jobs ran`);
        return { all: last };
      },
      rest: quiet,
    };
    const subjects = [raw, ours, byHand];
    await takeTurns(subjects, { rounds: 3, batch: 1, prepare: newMinute });
    const [commands, jobs, manual] = await takeTurns(subjects, { rounds, batch: 1, prepare: newMinute });
    await application.close();
    await handMade.close();
    if (!commands || !jobs || !manual) continue;
    results.push({
      jobs: count,
      raw: spreadOf(commands.rounds.all),
      allStarted: spreadOf(jobs.rounds.all),
      ratio: ratioOf(jobs.rounds.all, commands.rounds.all),
      byHand: spreadOf(manual.rounds.all),
      byHandRatio: ratioOf(manual.rounds.all, commands.rounds.all),
      started: fewest,
    });
  }
  await closeAll(clients);
  return { sizes: results, leftOut };
}
