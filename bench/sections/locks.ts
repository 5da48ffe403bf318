import { contendersOver } from '../contenders/contenders.js';
import { cycleOf } from '../contenders/contender.js';
import { type Spread, ratioOf, spreadOf, takeTurns } from '../measure.js';
import { closeAll, connectTo } from '../connections.js';
import type { Plan } from '../plan.js';
import type { RedisServer } from '../../test/engine/redis-server.js';

/** One contender on so many nodes, in milliseconds; the ratios are those to the raw one, round by round. */
export interface LockFigures {
  readonly name: string;
  readonly acquire: Spread;
  readonly cycle: Spread;
  readonly acquireRatio: Spread;
  readonly cycleRatio: Spread;
  /** The cycle of ours against that of this one. */
  readonly oursToThis: Spread;
}

export interface LockResults {
  readonly nodes: number;
  readonly contenders: readonly LockFigures[];
}

/** (a) Acquire, and acquire and release, one after another, all contenders over the same connections. */
export async function measureLocks(
  servers: readonly RedisServer[],
  { nodes, rounds, batch }: Plan['locks'],
): Promise<LockResults[]> {
  const results: LockResults[] = [];
  for (const count of nodes) {
    const clients = await connectTo(servers.slice(0, count));
    const contenders = await contendersOver(clients);
    // An answer that a majority did not wait for must not fall on the next contender.
    const rest = async (): Promise<void> => void (await Promise.all(clients.map((client) => client.ping())));
    const subjects = contenders.map((contender) => ({ ...cycleOf(contender), rest }));
    await takeTurns(subjects, { rounds: 2, batch: 2 * batch });
    const measured = await takeTurns(subjects, { rounds, batch });
    const [raw, ours] = measured;
    if (!raw || !ours) throw new Error('No contenders');
    results.push({
      nodes: count,
      contenders: measured.map(({ name, rounds: { acquire, cycle } }) => ({
        name,
        acquire: spreadOf(acquire),
        cycle: spreadOf(cycle),
        acquireRatio: ratioOf(acquire, raw.rounds.acquire),
        cycleRatio: ratioOf(cycle, raw.rounds.cycle),
        oursToThis: ratioOf(ours.rounds.cycle, cycle),
      })),
    });
    for (const { close } of contenders) await close?.();
    await closeAll(clients);
  }
  return results;
}
