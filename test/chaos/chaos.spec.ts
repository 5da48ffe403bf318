import { describe, expect, it } from 'vitest';
import { drawPlan, type PlanOptions } from './plan.js';
import { runChaos } from './run-chaos.js';
import { isClean, summaryOf } from './summary.js';

// The same faults each time, of which a minute has most kinds: a failure then means a change, and not another draw. Long
// runs draw their seed at random.
const seed = Number(process.env['CHAOS_SEED'] ?? 17_895);

describe('the plan of the faults', () => {
  const options: PlanOptions = {
    seed,
    duration: 10 * 60_000,
    nodeCount: 5,
    instanceCount: 5,
    jobs: ['medium'],
    steered: ['steered'],
    durableNodes: true,
  };

  it('is the same for the same seed, and another one for another', () => {
    expect(drawPlan(options)).toEqual(drawPlan(options));
    expect(drawPlan(options)).not.toEqual(drawPlan({ ...options, seed: seed + 1 }));
  });

  it('kills no nodes that forget', () => {
    const kill = expect.objectContaining({ kind: 'kill' });
    expect(drawPlan(options).nodeFaults).toContainEqual(kill);
    expect(drawPlan({ ...options, durableNodes: false }).nodeFaults).not.toContainEqual(kill);
  });
});

it(`keeps the promise through a minute of faults (CHAOS_SEED=${seed})`, { timeout: 150_000 }, async () => {
  const said: string[] = [];
  const report = await runChaos({ seed, minutes: 1, say: (text) => said.push(text) });
  if (!isClean(report)) console.log(said.join('\n'));
  console.log(summaryOf(report));
  expect([...report.verdict.violations, ...report.calm.violations]).toEqual([]);
  expect(isClean(report)).toBe(true);
  // A fleet that hardly owed anything would have shown nothing.
  expect(report.verdict.owed).toBeGreaterThan(report.verdict.ticks / 5);
});
