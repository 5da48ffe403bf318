/**
 * How often a tick runs, by the way in which it is kept to one instance: `npm run compare`. Three instances as real
 * processes, one Redis, a job of 30 ms every second; first with equal clocks, then with one clock 2.5 s ahead and one
 * 2.5 s behind.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { RedisServer } from '../../test/engine/redis-server.js';
import { Child } from '../child.js';
import { describeMachine } from '../machine.js';
import { printTable } from '../report.js';
import { runsKey, WAYS, WORK } from './ways.js';

const TICKS = 30;
/** How long ticks are not judged at the beginning and at the end, in seconds: more than any clock is wrong by. */
const MARGIN = 4;

console.log(describeMachine());
console.log(`3 instances; a job of ${WORK} ms every second, ${TICKS} ticks`);
await compare('All clocks equal', [0, 0, 0]);
await compare('Clocks 0, +2.5 s and −2.5 s', [0, 2500, -2500]);

async function compare(title: string, clocks: readonly number[]): Promise<void> {
  const server = await RedisServer.start();
  const redis = new Redis(server.url);
  const instances = clocks.map((ahead) => new Child('./compare/instance.js', [`${ahead}`, server.url]));
  await Promise.all(instances.map((instance) => instance.answer()));
  const first = Math.ceil(Date.now() / 1000) + MARGIN;
  await pause((TICKS + 2 * MARGIN) * 1000);
  const rows = await Promise.all(
    WAYS.map(async ({ name }) => {
      const ticks = (await redis.lrange(runsKey(name), 0, -1)).map(Number);
      const judged = ticks.filter((tick) => tick >= first && tick < first + TICKS);
      const ran = new Set(judged).size;
      return [name, `${judged.length}`, `${judged.length - ran}`, `${TICKS - ran}`];
    }),
  );
  printTable(title, ['', 'runs', 'duplicates', 'missed'], rows);
  await Promise.all(instances.map((instance) => instance.stop()));
  redis.disconnect();
  await server.stop();
}
