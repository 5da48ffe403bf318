import type { Conditions, JobRule, NodeFault, Span } from './conditions.js';
import type { Fleet } from './fleet.js';
import type { JobSpec } from './instance.js';
import { judge, type Verdict } from './judge.js';
import { monotonicEpoch } from './log.js';

/** A job, with what the judge has to know: of a fleet, `options.ttl` is a number where the module's is not meant. */
export function rulesOf(jobs: readonly JobSpec[], moduleTtl: number): JobRule[] {
  return jobs.map(({ name, when, options }) => ({
    name,
    kind: typeof when === 'string' ? 'cron' : 'interval',
    period: typeof when === 'string' ? periodOf(when) : when,
    ttl: typeof options?.ttl === 'number' ? options.ttl : moduleTtl,
    catchesUp: options?.missed === 'once',
  }));
}

function periodOf(expression: string): number {
  return 1000 * Number(/^\*\/(\d+) /.exec(expression)?.[1] ?? 1);
}

export interface Observed {
  readonly fleet: Fleet;
  readonly window: Span;
  readonly nodeCount: number;
  readonly nodeFaults?: readonly NodeFault[];
}

/** What the judge says of each job of a fleet, by its name. */
export async function verdicts({
  fleet,
  window,
  nodeCount,
  nodeFaults = [],
}: Observed): Promise<Map<string, Verdict>> {
  const history = await fleet.history();
  const instances = fleet.lives();
  const conditions = { window, epoch: monotonicEpoch(), instances, nodeCount, nodeFaults, forgotten: [] };
  const judged = (rule: JobRule): Verdict =>
    judge(history, { ...conditions, jobs: [rule] } satisfies Conditions);
  return new Map(rulesOf(fleet.jobs, fleet.ttl).map((rule) => [rule.name, judged(rule)]));
}
