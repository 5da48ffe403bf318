import { strict as assert } from 'node:assert';
import { DIED, type JobView, type Pause } from '../nodes/job-view.js';
import type { LockNode } from '../nodes/lock-node.js';
import {
  check,
  type ContractCheck,
  granted,
  type Job,
  LONG,
  PAST_SHORT,
  refused,
  SHORT,
  votes,
} from './contract-check.js';

function look({ node, names }: Job, limit = 10): Promise<JobView> {
  return node.look(names, limit);
}

async function records(job: Job, limit?: number): Promise<readonly string[]> {
  return (await look(job, limit)).records;
}

async function settled(job: Job, at: number, token: string, record?: string): Promise<void> {
  await granted(job.node, job.recorded(at), token);
  await job.node.settle(job.recorded(at), token, record);
}

function pauseOf(version: number, isPaused: boolean, until?: number): Pause {
  return { version, isPaused, detail: `note {"${version}"} \r\n 雪`, until };
}

function pauseWith(detail: string, until?: number): Pause {
  return { ...pauseOf(1, true, until), detail };
}

async function paused(job: Job, pause?: Pause): Promise<Pause | undefined> {
  return told(await job.node.pause(job.names.pause, pause));
}

/** A node may leave out what a pause does not have: its `until`. */
function told(pause: Pause | undefined): Pause | undefined {
  return pause && { ...pause, until: pause.until };
}

async function registered({ node, register }: Job): Promise<string[]> {
  return [...(await node.registered(register))].toSorted();
}

/** The token of the unfinished run that a granted claim has found. */
async function unfinished(node: LockNode, job: Job, at: number, token: string): Promise<unknown> {
  const vote = await votes(node, job.recorded(at), token, 'granted');
  return 'unfinished' in vote ? vote.unfinished : undefined;
}

/** The clauses about what a node knows of jobs, and of the instances that registered. */
export const KNOWLEDGE_CHECKS: readonly ContractCheck[] = [
  // Records.
  check(
    'puts each settled run on record, the newest first, and returns as many as are asked for',
    async (job) => {
      assert.deepEqual(await records(job), []);
      await settled(job, -2000, 'a', '{"run":1}');
      await settled(job, -1000, 'b', '雪 \r\n"2"');
      assert.deepEqual(await records(job), ['雪 \r\n"2"', '{"run":1}']);
      assert.deepEqual(await records(job, 1), ['雪 \r\n"2"']);
      assert.deepEqual(await records(job, 0), []);
      assert.deepEqual(await records(job.another()), []);
    },
  ),
  check('puts a run on record once, even if its settle arrives twice', async (job) => {
    await settled(job, -1000, 'a', 'first');
    await job.node.settle(job.recorded(-1000), 'a', 'first');
    assert.deepEqual(await records(job), ['first']);
  }),
  check('puts a run on record although its lock was lost', async (job, pass) => {
    await granted(job.node, job.recorded(-1000), 'a', SHORT);
    await pass(PAST_SHORT);
    await job.node.settle(job.recorded(-1000), 'a', 'first');
    assert.deepEqual(await records(job), ['first']);
  }),
  check('puts nothing on record for a settle without a record', async (job) => {
    await settled(job, -1000, 'a');
    assert.deepEqual(await records(job), []);
  }),
  check('keeps as many records as the claim says', async (job) => {
    for (let run = 1; run <= 5; run++) await settled(job, run - 10, `token ${run}`, `run ${run}`);
    assert.deepEqual(await records(job), ['run 5', 'run 4', 'run 3']);
  }),
  check('lets the records expire by themselves', async (job, pass) => {
    const brief = job.recorded(-1000, { keep: SHORT });
    await granted(job.node, brief, 'a');
    await job.node.settle(brief, 'a', 'first');
    await pass(PAST_SHORT);
    assert.deepEqual(await records(job), []);
  }),

  // Runs that die.
  check(
    'puts an unsettled run on record when it grants the next one, and says which run that was',
    async (job, pass) => {
      await granted(job.node, job.recorded(-1000), 'dead', SHORT);
      assert.equal((await look(job)).begun, 'dead');
      await pass(PAST_SHORT);
      assert.equal(await unfinished(job.node, job, 0, 'a'), 'dead');
      assert.deepEqual(await records(job), [`${DIED}dead`]);
      await job.node.settle(job.recorded(0), 'a', 'second');
      assert.deepEqual(await records(job), ['second', `${DIED}dead`]);
      assert.equal((await look(job)).begun, undefined);
    },
  ),
  check(
    'does not call a run unfinished if it was settled, released, or claimed again with its token',
    async (job) => {
      await settled(job, -3000, 'a', 'first');
      assert.equal(await unfinished(job.node, job, -2000, 'b'), undefined);
      assert.equal(await unfinished(job.node, job, -2000, 'b'), undefined);
      await job.node.release(job.recorded(-2000), 'b');
      assert.equal(await unfinished(job.node, job, -1000, 'c'), undefined);
      assert.deepEqual(await records(job), ['first']);
    },
  ),
  check('begins and ends no run for a claim that it refuses', async (job, pass) => {
    await granted(job.node, job.recorded(-1000), 'a', SHORT);
    await refused(job.node, job.recorded(0), 'b', 'overlap', 'a');
    await job.node.release(job.recorded(0), 'b');
    assert.equal((await look(job)).begun, 'a');
    await pass(PAST_SHORT);
    assert.equal(await unfinished(job.node, job, 0, 'c'), 'a');
  }),
  check('reports the holder of the lock and the newest settled tick, if there are any', async (job) => {
    const { holder, last, begun, pause } = await look(job);
    assert.deepEqual([holder, last, begun, pause], [undefined, undefined, undefined, undefined]);
    await settled(job, -1000, 'a', 'first');
    await granted(job.node, job.recorded(0), 'b');
    const view = await look(job);
    assert.deepEqual([view.holder, view.last], ['b', job.moment(-1000)]);
  }),
  check('reports to a winner the newest settled tick before its own', async (job) => {
    await settled(job, -1000, 'a', 'first');
    const vote = await votes(job.node, job.recorded(0), 'b', 'granted');
    assert.equal('last' in vote ? vote.last : undefined, job.moment(-1000));
  }),

  // No tick of a paused job.
  check('refuses the claims of a paused job that name its pause key, and grants the others', async (job) => {
    await paused(job, pauseOf(1, true));
    assert.deepEqual(await job.node.claim(job.pausable(0), 'a', LONG), { kind: 'paused' });
    await votes(job.node, { ...job.plain(), pause: job.names.pause }, 'a', 'paused');
    await granted(job.node, job.tick(0), 'b');
    await granted(job.node, job.another().pausable(0), 'c');
  }),
  check('grants a claim that arrives again after the job was paused', async (job) => {
    await granted(job.node, job.pausable(0), 'a');
    await paused(job, pauseOf(1, true));
    await granted(job.node, job.pausable(0), 'a');
    await votes(job.node, job.pausable(0), 'b', 'paused');
  }),
  check('grants claims again once the job is resumed', async (job) => {
    await paused(job, pauseOf(1, true));
    await paused(job, pauseOf(2, false));
    await granted(job.node, job.pausable(0), 'a');
  }),
  check('reports the pause as it was written', async (job) => {
    assert.equal(await paused(job), undefined);
    const forever = pauseOf(7, true);
    assert.deepEqual(await paused(job, forever), forever);
    assert.deepEqual(await paused(job), forever);
    const until = pauseOf(8, true, job.moment(LONG));
    await paused(job, until);
    assert.deepEqual(told((await look(job)).pause), until);
  }),
  check('keeps the newest pause, in whatever order they are written', async (job) => {
    await paused(job, pauseOf(10, false));
    assert.deepEqual(await paused(job, pauseOf(9, true)), pauseOf(10, false));
    await granted(job.node, job.pausable(0), 'a');
    // Of two with the same version, the end of the pause counts, so the job runs.
    const other = job.another();
    for (const isPaused of [true, false, true]) await paused(other, pauseOf(1, isPaused));
    await granted(job.node, other.pausable(0), 'a');
  }),
  check('keeps the same one of two pauses with equal versions, in either order', async (job) => {
    const pairs: [counts: Pause, other: Pause][] = [
      [pauseWith('a', job.moment(LONG)), pauseWith('b', job.moment(LONG + 1))],
      [pauseWith('b', job.moment(LONG)), pauseWith('a', job.moment(LONG + 1))],
      [pauseWith('a', job.moment(LONG)), pauseWith('b')],
      [pauseWith('a'), pauseWith('B')],
      [pauseWith('ab'), pauseWith('a')],
      // UTF-16 has them the other way round.
      [pauseWith('\u{1F600}'), pauseWith('\uFF5E')],
    ];
    for (const [counts, other] of pairs) {
      for (const written of [
        [counts, other],
        [other, counts],
      ]) {
        const another = job.another();
        for (const pause of written) await paused(another, pause);
        assert.deepEqual(await paused(another), counts);
      }
    }
  }),
  check('lets a pause end by itself, and remembers it: an older one does not count', async (job, pass) => {
    await paused(job, pauseOf(2, true, job.moment(SHORT)));
    await pass(PAST_SHORT + 600);
    await granted(job.node, job.pausable(0), 'a');
    await job.node.release(job.pausable(0), 'a');
    await paused(job, pauseOf(1, true));
    await granted(job.node, job.pausable(0), 'b');
  }),

  // The register.
  check('registers an entry, renews it, and writes it anew', async (job, pass) => {
    const { node, register } = job;
    assert.deepEqual(await registered(job), []);
    assert.equal(await node.register(register, 'one', LONG), false);
    assert.deepEqual(await registered(job), []);
    assert.equal(await node.register(register, 'one', SHORT, 'first'), true);
    assert.equal(await node.register(register, 'two', SHORT, 'second'), true);
    assert.equal(await node.register(register, 'one', LONG), true);
    await pass(PAST_SHORT);
    assert.deepEqual(await registered(job), ['first']);
    assert.equal(await node.register(register, 'two', LONG), false);
    assert.equal(await node.register(register, 'one', LONG, 'again'), true);
    assert.deepEqual(await registered(job), ['again']);
    assert.deepEqual(await registered(job.another()), []);
  }),
];
