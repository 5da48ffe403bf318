import type { Redis } from 'ioredis';
import type { RedisServer } from '../../test/engine/redis-server.js';
import { startApplication } from '../application.js';
import { newMinute } from '../clock.js';
import { Child } from '../child.js';
import { closeAll, connectTo } from '../connections.js';
import { cycleOf } from '../contenders/contender.js';
import { contendersOver } from '../contenders/contenders.js';
import { type Spread, ratioOf, spreadOf, takeTurns } from '../measure.js';
import type { Plan } from '../plan.js';
import { quiet } from '../waiting.js';
import { startOf } from './starts.js';

/** With three healthy nodes, and with one of them slow, in milliseconds. */
export interface SlowNodeFigures {
  readonly name: string;
  readonly healthy: Spread;
  readonly slow: Spread;
  readonly ratio: Spread;
}

export interface SlowNodeResults {
  /** In milliseconds. */
  readonly delay: number;
  /** Until a lock is had. */
  readonly locks: readonly SlowNodeFigures[];
  /** Until a decorated method starts: the slow node is the first that instances ask, or the last. */
  readonly ticks: readonly SlowNodeFigures[];
  /** The very first tick of an application whose first node is slow: it does not know that yet. In milliseconds. */
  readonly firstTick: number;
}

/** (e) One of three nodes answers late. */
export async function measureSlowNode(
  servers: readonly RedisServer[],
  plan: Plan['slowNode'],
): Promise<SlowNodeResults> {
  const [first, second, third] = servers;
  if (!first || !second || !third) throw new Error('Three servers are needed');
  const proxy = (to: RedisServer): Child<never, number> => {
    return new Child('slow-node/delay-proxy.js', [`${to.port}`, `${plan.delay}`]);
  };
  const proxies = [proxy(first), proxy(third)];
  const [firstSlow = 0, thirdSlow = 0] = await Promise.all(proxies.map((child) => child.answer()));
  const nodes = {
    healthy: [first, second, third],
    firstSlow: [{ port: firstSlow }, second, third],
    lastSlow: [first, second, { port: thirdSlow }],
  };
  const locks = await measureLocks(nodes.healthy, nodes.firstSlow, plan);
  const { ticks, firstTick } = await measureTicks(nodes, plan);
  for (const child of proxies) await child.stop();
  return { delay: plan.delay, locks, ticks, firstTick };
}

/** Waits for the answers that a majority did not wait for. */
function rest(clients: readonly Redis[]): () => Promise<void> {
  return async () => void (await Promise.all(clients.map((client) => client.ping())));
}

type Nodes = readonly Pick<RedisServer, 'port'>[];

async function measureLocks(
  healthyNodes: Nodes,
  slowNodes: Nodes,
  { rounds, batch, waitingBatch, delay }: Plan['slowNode'],
): Promise<SlowNodeFigures[]> {
  const clients = { healthy: await connectTo(healthyNodes), slow: await connectTo(slowNodes) };
  const healthy = await contendersOver(clients.healthy);
  const slow = await contendersOver(clients.slow);
  const figures: SlowNodeFigures[] = [];
  for (const [index, contender] of slow.entries()) {
    const subjects = [
      { ...cycleOf(healthy[index] ?? contender), rest: rest(clients.healthy) },
      { ...cycleOf(contender), rest: rest(clients.slow) },
    ];
    // Whoever waits for all nodes is measured less often: each time takes as long as the slow node.
    const [tried] = await takeTurns(subjects.slice(1), { rounds: 1, batch: 2 });
    const waits = (tried?.rounds.acquire[0] ?? 0) > delay / 2;
    const turns = { rounds, batch: waits ? waitingBatch : batch };
    const [before, after] = await takeTurns(subjects, turns);
    if (before && after) {
      figures.push(figuresOf(contender.name, before.rounds.acquire, after.rounds.acquire));
    }
  }
  for (const { close } of [...healthy, ...slow]) await close?.();
  await closeAll([...clients.healthy, ...clients.slow]);
  return figures;
}

async function measureTicks(
  { healthy, firstSlow, lastSlow }: Readonly<Record<'healthy' | 'firstSlow' | 'lastSlow', Nodes>>,
  { jobs, tickRounds }: Plan['slowNode'],
): Promise<Pick<SlowNodeResults, 'ticks' | 'firstTick'>> {
  const applications = [];
  // The applications share the nodes of one fleet, but are different ones: their keys must be, too.
  for (const [index, nodes] of [healthy, firstSlow, lastSlow].entries()) {
    const urls = nodes.map(({ port }) => `redis://127.0.0.1:${port}`);
    applications.push(await startApplication(urls, jobs, `SLOW_${index}`));
  }
  await newMinute();
  const firstTick = (await applications[1]?.fire(0)) ?? Number.NaN;
  const subjects = applications.map((application) => startOf(application, jobs));
  const turns = { batch: jobs, prepare: newMinute };
  await takeTurns(subjects, { ...turns, rounds: 1 });
  const [well, first, last] = await takeTurns(subjects, { ...turns, rounds: tickRounds });
  for (const application of applications) await application.close();
  await quiet();
  if (!well || !first || !last) throw new Error('Nothing was measured');
  const base = well.rounds.start;
  return {
    firstTick,
    ticks: [
      figuresOf('first node slow', base, first.rounds.start),
      figuresOf('last node slow', base, last.rounds.start),
    ],
  };
}

function figuresOf(name: string, healthy: readonly number[], slow: readonly number[]): SlowNodeFigures {
  return {
    name,
    healthy: spreadOf(healthy),
    slow: spreadOf(slow),
    ratio: ratioOf(slow, healthy),
  };
}
