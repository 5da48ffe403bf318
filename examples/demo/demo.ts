/**
 * `npm run demo`: three instances of an application and five Redis nodes, each a process of its own, and a job every
 * two seconds. First without `@Exclusive`; then with it, and half-way an instance and a Redis node are killed.
 *
 * The exit code is 0 only if, with `@Exclusive`, each tick ran once.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { InstanceProcess } from './instance-process.js';
import { redisNodes } from './redis-nodes.js';
import { showEvent, showHeading, showResult, showSummary, showTick } from './screen.js';
import { nextTicks, PERIOD, RunLog, type Tally } from './ticks.js';

interface Part {
  readonly title: string;
  /** Whether the job has `@Exclusive`. */
  readonly guarded: boolean;
  readonly ticks: number;
  /** What happens half-way, to the instance that ran last. */
  readonly disaster?: (instance: InstanceProcess) => Promise<void>;
}

// All that still runs ends with this process.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
}

const redis = await redisNodes();
/** Keys that nothing else on the same Redis uses. */
const keyPrefix = `demo-${randomUUID()}`;
showHeading(`3 instances A, B and C; a job every 2 s; ${redis.description}`);

const without = await show({ title: 'Without @Exclusive', guarded: false, ticks: 5 });
const withExclusive = await show({
  title: "With @Exclusive('report')",
  guarded: true,
  ticks: 10,
  disaster: async (instance) => {
    showEvent(`SIGKILL to instance ${instance.name}, which ran last`);
    await instance.kill();
    await redis.killOne();
  },
});
await redis.stop();

const passed = withExclusive.duplicates === 0 && withExclusive.missed === 0;
showSummary({ 'without @Exclusive': without, 'with @Exclusive': withExclusive });
showResult(passed);
process.exitCode = passed ? 0 : 1;

/** Starts the instances, shows who runs each tick, and counts. */
async function show({ title, guarded, ticks: count, disaster }: Part): Promise<Tally> {
  showHeading(title);
  const log = new RunLog();
  const start = (name: string): Promise<InstanceProcess> =>
    InstanceProcess.start(name, {
      guarded,
      keyPrefix,
      redisUrls: redis.urls,
      onRun: (at) => log.add(name, at),
      onWarning: (text) => showEvent(`${name} warns: ${text}`),
    });
  const instances = await Promise.all(['A', 'B', 'C'].map(start));

  const ticks = nextTicks(count);
  for (const [index, tick] of ticks.entries()) {
    // Half a period later the job has been run, and the next tick is still to come: a good time to look, and to kill.
    await delay(tick + PERIOD / 2 - Date.now());
    const whoRan = log.whoRan(tick);
    showTick(tick, instances, whoRan);
    const lastToRun = instances.find(({ name }) => whoRan.includes(name)) ?? instances[0];
    if (lastToRun && index + 1 === count / 2) await disaster?.(lastToRun);
  }
  await Promise.all(instances.map((instance) => instance.kill()));
  return log.tally(ticks);
}
