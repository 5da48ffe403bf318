/**
 * `npm run demo`: three instances of an application and five Redis nodes, each a process of its own, and a job every
 * two seconds. First without `@Exclusive`; then with it, and half-way an instance and a Redis node are killed. In a
 * terminal, the fleet then runs on, with the address of its dashboard on the screen; with `--once` it does not.
 *
 * The exit code is 0 only if, with `@Exclusive`, each tick ran once.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { InstanceProcess } from './instance-process.js';
import { redisNodes } from './redis-nodes.js';
import { showEvent, showHeading, showPage, showResult, showSummary, showTick } from './screen.js';
import { nextTicks, PERIOD, RunLog, type Tally } from './ticks.js';

interface Part {
  readonly title: string;
  /** Whether the job has `@Exclusive`. */
  readonly guarded: boolean;
  readonly ticks: number;
  /** What happens half-way, to the instance that runs the job at that moment. */
  readonly disaster?: (instance: InstanceProcess) => Promise<void>;
}

interface Shown {
  readonly tally: Tally;
  /** Those that still run. */
  readonly instances: readonly InstanceProcess[];
}

const { once } = parseArgs({ options: { once: { type: 'boolean', default: false } } }).values;

// All that still runs ends with this process.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(process.exitCode ?? 128 + constants.signals[signal]));
}

const redis = await redisNodes();
showHeading(`3 instances A, B and C; a job every 2 s; ${redis.description}`);

const without = await show({ title: 'Without @Exclusive', guarded: false, ticks: 5 });
await killAll(without.instances);
const withExclusive = await show({
  title: "With @Exclusive('report')",
  guarded: true,
  ticks: 10,
  disaster: async (instance) => {
    showEvent(`SIGKILL to instance ${instance.name}, in the middle of its run`);
    await instance.kill();
    await redis.killOne();
  },
});

const passed = withExclusive.tally.duplicates === 0 && withExclusive.tally.missed === 0;
showSummary({ 'without @Exclusive': without.tally, 'with @Exclusive': withExclusive.tally });
showResult(passed);
process.exitCode = passed ? 0 : 1;

const [survivor] = withExclusive.instances;
if (process.stdout.isTTY && !once && survivor) {
  showPage(survivor.page);
} else {
  await killAll(withExclusive.instances);
  await redis.stop();
}

/** Starts the instances, shows who runs each tick, and counts. */
async function show({ title, guarded, ticks: count, disaster }: Part): Promise<Shown> {
  showHeading(title);
  const log = new RunLog();
  /** Keys that nothing else on the same Redis uses. */
  const keyPrefix = `demo-${randomUUID()}`;
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
    if (disaster && index + 1 === count / 2) {
      const name = await log.firstToRun(tick);
      await disaster(instances.find((instance) => instance.name === name) ?? instances[0]!);
    }
    // Half a period later the job has been run, and the next tick is still to come: a good time to look.
    await delay(tick + PERIOD / 2 - Date.now());
    showTick(tick, instances, log.whoRan(tick));
  }
  return { tally: log.tally(ticks), instances: instances.filter(({ alive }) => alive) };
}

async function killAll(instances: readonly InstanceProcess[]): Promise<void> {
  await Promise.all(instances.map((instance) => instance.kill()));
}
