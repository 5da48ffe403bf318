import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CronJob } from 'cron';
import { startExclusive } from '../application.js';
import { OURS } from '../builds.js';
import { newMinute } from '../clock.js';
import type { Bench, Group } from '../group.js';
import type { Row } from '../measure.js';
import { withServers } from '../redis.js';
import { bytes, counts } from '../report.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** How many jobs are due at a time. */
const JOBS = 100;
const names = Array.from({ length: JOBS }, (_none, index) => `job-${index}`);

export const ticks: Group = {
  name: 'ticks',
  title: `Ticks of one instance, ${JOBS} jobs at a time: what they leave behind`,
  figures: {
    heap: { heading: 'growth of the heap', print: bytes },
    keys: { heading: 'keys after the last tick', print: counts },
    keysLater: { heading: 'a minute later', print: counts },
  },
  settings: [{ name: '100000', measure }],
};

/** The clock of this process moves on by a minute for each tick; that of Redis does not. */
function measure({ builds: [build], rounds }: Bench): Promise<Row[]> {
  return withServers(1, async ([server], [client]) => {
    if (!build || !server || !client) throw new Error('Nothing to measure');
    const { service, close } = await startExclusive(build, [server.url]);
    const job = CronJob.from({ cronTime: '0 * * * * *', onTick: () => {}, start: false });
    const runAll = async (count: number): Promise<number> => {
      for (let tick = 0; tick < count; tick++) {
        newMinute();
        const outcomes = await Promise.all(names.map((name) => service.run(name, () => {}, { job })));
        if (!outcomes.every(({ ran }) => ran)) throw new Error('A tick was not run');
      }
      await pause(300);
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = await runAll(50);
    const heap = (await runAll(rounds(1000))) - before;
    const keys = await client.dbsize();
    await pause(61_000);
    const keysLater = await client.dbsize();
    await close();
    return [{ name: OURS, rounds: { heap: [heap], keys: [keys], keysLater: [keysLater] } }];
  });
}
