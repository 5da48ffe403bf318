import { writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Conditions, NodeFault, Span } from '../fleet/conditions.js';
import { Fleet } from '../fleet/fleet.js';
import type { JobSpec } from '../fleet/instance.js';
import type { History } from '../fleet/history.js';
import { judge, type Verdict, type Violation } from '../fleet/judge.js';
import { monotonicEpoch, monotonicNow } from '../fleet/log.js';
import { rulesOf } from '../fleet/observe.js';
import { ChaosNode, durableNodes } from './chaos-node.js';
import { Injection } from './injection.js';
import { drawPlan } from './plan.js';
import { Stalls } from './stalls.js';

const NODES = 5;
const CLOCKS = [0, 400, -400, 2500, -2500];
const TTL = 3000;
/** Shorter than some runs, so that they are cut off at shutdown. */
const SHUTDOWN_TIMEOUT = 800;
/** The job whose option `recover` is changed by some rollouts. */
const CHANGING = 'changing';
const JOBS: readonly JobSpec[] = [
  { name: 'instant', when: '* * * * * *', work: 1 },
  { name: 'medium', when: '* * * * * *', work: 300 },
  // Longer than its lease, too: it overlaps unless it is renewed.
  { name: 'long', when: '* * * * * *', work: 2500, options: { ttl: 1500 } },
  { name: 'recovering', when: '* * * * * *', work: 300, options: { recover: true } },
  { name: CHANGING, when: '* * * * * *', work: 1400, options: { ttl: 2000, recover: false } },
  { name: 'interval', when: 1000, work: 50 },
  { name: 'steered', when: '* * * * * *', work: 300 },
  { name: 'steered interval', when: 1000, work: 50 },
  // Their ticks are so far apart that it is certain which one has to be made up for.
  { name: 'caught up', when: '*/10 * * * * *', work: 300, options: { missed: 'once' } },
  { name: 'steered and caught up', when: '*/10 * * * * *', work: 300, options: { missed: 'once' } },
];
/** The jobs that are paused, resumed and triggered. */
const STEERED = ['steered', 'steered interval', 'steered and caught up'];

/** All must be well again this long after the last fault, in milliseconds. */
const CALM_AFTER = 5000;
/** And then it is watched for so long. */
const CALM = 8000;
/** Until those whose clocks are behind have come to the last judged tick, too. */
const LAG = 4500;

export interface ChaosOptions {
  readonly seed: number;
  readonly minutes: number;
  /** Tells people what happens. */
  readonly say: (text: string) => void;
  /** A file for all that the judge is given, to look into a violation. */
  readonly record?: string;
}

export interface ChaosReport {
  readonly verdict: Verdict;
  /** The last seconds, in which no fault is an excuse any more. */
  readonly calm: Verdict;
  /** How many faults and orders of each kind there were. */
  readonly faults: ReadonlyMap<string, number>;
  /** When this process, and with it the network, stood still. */
  readonly stalls: readonly Span[];
}

/** A fleet of five on five nodes, and faults drawn from the seed. */
export async function runChaos({ seed, minutes, say, record }: ChaosOptions): Promise<ChaosReport> {
  const nodes = await Promise.all(Array.from({ length: NODES }, () => ChaosNode.start()));
  try {
    const module = { nodes: nodes.map(({ url }) => url), ttl: TTL, shutdownTimeout: SHUTDOWN_TIMEOUT };
    const fleet = await Fleet.start({ clocks: CLOCKS, module, jobs: JOBS, logCalls: true });
    const stalls = new Stalls();
    try {
      const begin = monotonicNow();
      const injection = new Injection(fleet, nodes, CHANGING, (text) =>
        say(`${((monotonicNow() - begin) / 1000).toFixed(1).padStart(6)} s  ${text}`),
      );
      const duration = minutes * 60_000 - CALM_AFTER - CALM - LAG;
      await injection.carryOut(planOf(seed, duration), duration);
      const lastFault = monotonicNow();
      await pause(CALM_AFTER + CALM);
      const end = monotonicNow();
      await pause(LAG);
      const history = await fleet.history();
      const conditions: Conditions = {
        window: { from: begin + 2000, until: end },
        epoch: monotonicEpoch(),
        jobs: rulesOf(JOBS, TTL),
        instances: fleet.lives(),
        nodeCount: NODES,
        nodeFaults: [...injection.nodeFaults, ...ofAllNodes(stalls)],
        forgotten: injection.forgotten,
        crowds: injection.crowds,
      };
      if (record !== undefined)
        writeFileSync(record, JSON.stringify({ seed, history, conditions, output: fleet.output() }));
      const calm = { ...conditions, window: { from: lastFault + CALM_AFTER, until: end }, nodeFaults: [] };
      const verdict = judge(history, conditions);
      return {
        verdict: { ...verdict, violations: [...verdict.violations, ...twiceIn(history)] },
        calm: calmVerdict(history, calm),
        faults: injection.counts,
        stalls: stalls.spans,
      };
    } finally {
      stalls.stop();
      await fleet.stop();
    }
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
}

function ofAllNodes({ spans }: Stalls): NodeFault[] {
  return spans.flatMap((span) => Array.from({ length: NODES }, (_, node) => ({ node, ...span })));
}

/** Jobs of a crowd that ran twice. Whether each ran at all is not judged: a fault may strike while they wait. */
function twiceIn({ runs }: History): Violation[] {
  const seen = new Set<string>();
  const twice: Violation[] = [];
  for (const { job } of runs.filter((run) => run.job.startsWith('crowd '))) {
    if (seen.has(job)) twice.push({ kind: 'duplicate', job, text: 'which has one tick' });
    seen.add(job);
  }
  return twice;
}

/** Of the last seconds: what is still missed. Of the rest of the history nothing can be said without its faults. */
function calmVerdict(history: History, conditions: Conditions): Verdict {
  const short = conditions.jobs.filter(({ name }) => name !== 'long' && name !== CHANGING);
  const verdict = judge(history, { ...conditions, jobs: short });
  return { ...verdict, violations: verdict.violations.filter(({ kind }) => kind === 'missed') };
}

function planOf(seed: number, duration: number): ReturnType<typeof drawPlan> {
  return drawPlan({
    seed,
    duration,
    nodeCount: NODES,
    instanceCount: CLOCKS.length,
    jobs: ['medium', 'long', 'recovering', CHANGING, 'steered', 'caught up'],
    steered: STEERED,
    durableNodes,
  });
}
