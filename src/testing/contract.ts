import { strict as assert } from 'node:assert';
import { randomUUID } from 'node:crypto';
import { EARLY_CLAIM_TOLERANCE, TAKEOVER_WINDOW } from '../nodes/lock-node.js';
import {
  about,
  check,
  type ContractCheck,
  granted,
  held,
  begunElsewhere,
  Job,
  leaseOf,
  LONG,
  notHeld,
  PAST_SHORT,
  ranked,
  refused,
  SHORT,
  takeoverOf,
  unhurried,
  votes,
} from './contract-check.js';
import { KNOWLEDGE_CHECKS } from './contract-of-knowledge.js';

/**
 * The contract of `LockNode` as a list of checks, for authors of their own nodes; needs no test framework. Each check
 * uses unique names, so all of them can share one store and run at the same time. Each takes at most 3 seconds,
 * unless the machine is so slow that a part of the check has to be repeated. What happens when the store does not
 * answer is not checked: a node should reject then, as early as it can.
 *
 * @example
 * ```ts
 * for (const { clause, check } of LOCK_NODE_CONTRACT) it(clause, () => check({ node }));
 * ```
 */
export const LOCK_NODE_CONTRACT: readonly ContractCheck[] = [
  // All or nothing, in one step.
  check('grants what is free', async (job) => {
    await granted(job.node, job.all(), 'a');
    await granted(job.node, job.another().plain(), 'a');
    await granted(job.node, job.another().tick(0), 'a');
    await granted(job.node, job.another().every(), 'a');
  }),
  check('grants only one of many claims that arrive at once', async (job) => {
    const tokens = Array.from({ length: 20 }, (_, index) => `token-${index}`);
    const answers = await Promise.all(tokens.map((token) => job.node.claim(job.all(), token, LONG)));
    const winners = tokens.filter((_, index) => answers[index]?.kind === 'granted');
    assert.equal(winners.length, 1, `${winners.length} of ${tokens.length} claims were granted`);
    for (const vote of answers) {
      if ('holder' in vote) assert.equal(vote.holder, winners[0], 'a loser was told another holder');
    }
  }),
  check('does not let one job block another', async (job) => {
    await granted(job.node, job.all(), 'a');
    await granted(job.node, job.another().all(), 'b');
  }),
  check('writes nothing for a claim that it refuses because of the lock', async (job) => {
    await granted(job.node, job.plain(), 'a');
    await refused(job.node, job.all(), 'b', 'overlap', 'a');
    await job.node.release(job.plain(), 'a');
    await granted(job.node, job.all(), 'c');
  }),
  check('writes nothing for a claim that it refuses because of the tick', async (job) => {
    await granted(job.node, job.beside(job.tick(0)), 'a');
    await refused(job.node, job.all(), 'b', 'elsewhere', 'a');
    await granted(job.node, job.every(), 'c');
  }),
  check('writes nothing for a claim that it refuses because of the interval', async (job) => {
    await granted(job.node, job.beside(job.every()), 'a');
    await refused(job.node, job.all(), 'b', 'ran', 'a');
    await granted(job.node, job.tick(0), 'c');
  }),
  check('says "elsewhere" while the same tick is being run', async (job) => {
    await granted(job.node, job.tick(0), 'a');
    await refused(job.node, job.tick(0), 'b', 'elsewhere', 'a');
  }),
  check('says "overlap" while another tick or a plain call is being run', async (job) => {
    await granted(job.node, job.tick(-1000), 'a');
    await refused(job.node, job.tick(0), 'b', 'overlap', 'a');
    await refused(job.node, job.plain(), 'c', 'overlap', 'a');
    const called = job.another();
    await granted(job.node, called.plain(), 'a');
    await refused(job.node, called.tick(0), 'b', 'overlap', 'a');
  }),
  check('says "elsewhere" while the interval is being run, and "ran" after that', async (job) => {
    await granted(job.node, job.every(), 'a');
    await refused(job.node, job.every(), 'b', 'elsewhere', 'a');
    await job.node.settle(job.every(), 'a');
    await refused(job.node, job.every(), 'b', 'ran', 'a');
  }),

  check('counts the losers among the claims that ask for a rank', async (job, pass) => {
    await granted(job.node, job.ranked(job.tick(0)), 'a');
    await ranked(job.node, job.ranked(job.tick(0)), 'b', 1);
    await ranked(job.node, job.ranked(job.tick(1)), 'c', 2);
    await ranked(job.node, job.ranked(job.plain()), 'd', 3);
    await ranked(job.node, job.tick(0), 'e', undefined);

    const brief = job.another();
    await granted(job.node, brief.every(), 'a');
    await ranked(job.node, brief.ranked(brief.every(), 2 * SHORT), 'b', 1);
    await pass(SHORT);
    await ranked(job.node, brief.ranked(brief.every(), 2 * SHORT), 'c', 2);
    // A later loser does not let the counter live longer.
    await pass(PAST_SHORT);
    await ranked(job.node, brief.ranked(brief.every(), 2 * SHORT), 'd', 1);
  }),

  // The same token means yes.
  check('grants a claim that arrives again with the same token', async (job) => {
    await granted(job.node, job.all(), 'a');
    await granted(job.node, job.all(), 'a');
    await refused(job.node, job.plain(), 'b', 'overlap', 'a');
  }),

  // Keys expire by themselves.
  check('lets a lock expire by itself', async (job, pass) => {
    await granted(job.node, job.plain(), 'a', SHORT);
    await pass(PAST_SHORT);
    await granted(job.node, job.plain(), 'b');
  }),
  check('keeps a lock for as long as it was asked to', async (job, pass) => {
    await granted(job.node, job.plain(), 'a', LONG);
    await pass(1500);
    await refused(job.node, job.plain(), 'b', 'overlap', 'a');
  }),
  check('keeps the marker of a tick for longer than its lock', async (job, pass) => {
    await granted(job.node, job.tick(-1000), 'a', SHORT);
    await pass(PAST_SHORT);
    await refused(job.node, job.tick(-1000), 'b', 'elsewhere', 'a');
    await granted(job.node, job.tick(0), 'b');
  }),
  check('lets the marker of a tick expire by itself', async (job, pass) => {
    await granted(job.node, job.tick(0, { keep: SHORT }), 'a', SHORT);
    await pass(PAST_SHORT);
    await granted(job.node, job.tick(0), 'b');
  }),
  check('lets the marker of an interval expire by itself', async (job, pass) => {
    await granted(job.node, job.every(SHORT), 'a');
    await job.node.settle(job.every(SHORT), 'a');
    await pass(PAST_SHORT);
    await granted(job.node, job.every(), 'b');
  }),

  // Only the holder changes a key.
  check('extends for the holder, counted from now', async (job, pass) => {
    await granted(job.node, job.plain(), 'a', SHORT);
    await held(job.node.extend(job.plain(), 'a', LONG));
    await pass(PAST_SHORT);
    await refused(job.node, job.plain(), 'b', 'overlap', 'a');
  }),
  check('extends only for the holder', async (job) => {
    await granted(job.node, job.plain(), 'a');
    await notHeld(job.node.extend(job.plain(), 'b', LONG));
    await refused(job.node, job.plain(), 'c', 'overlap', 'a');
  }),
  check('frees the lock at a settle only for the holder', async (job) => {
    await granted(job.node, job.plain(), 'a');
    await notHeld(job.node.settle(job.plain(), 'b'));
    await refused(job.node, job.plain(), 'c', 'overlap', 'a');
  }),
  check('releases only for the holder', async (job) => {
    await granted(job.node, job.all(), 'a');
    await notHeld(job.node.release(job.all(), 'b'));
    await refused(job.node, job.plain(), 'c', 'overlap', 'a');
    await refused(job.node, job.tick(0), 'c', 'elsewhere', 'a');
    await refused(job.node, job.every(), 'c', 'elsewhere', 'a');
  }),
  check('writes a missing lock again at an extension', async (job, pass) => {
    await granted(job.node, job.plain(), 'a', SHORT);
    await pass(PAST_SHORT);
    await held(job.node.extend(job.plain(), 'a', LONG));
    await refused(job.node, job.plain(), 'b', 'overlap', 'a');
  }),
  check('takes no lock from a successor at an extension', async (job, pass) => {
    await granted(job.node, job.plain(), 'a', SHORT);
    await pass(PAST_SHORT);
    await granted(job.node, job.plain(), 'b');
    await notHeld(job.node.extend(job.plain(), 'a', LONG));
    await refused(job.node, job.plain(), 'c', 'overlap', 'b');
  }),

  // The effects of settling.
  check('frees the lock when a run is settled', async (job) => {
    await granted(job.node, job.tick(-1000), 'a');
    await held(job.node.settle(job.tick(-1000), 'a'));
    await granted(job.node, job.plain(), 'b');
    await job.node.release(job.plain(), 'b');
    await granted(job.node, job.tick(0), 'c');
  }),
  check('keeps the marker of a settled tick for its time', async (job, pass) => {
    // The newest settled tick would hide the marker, so this claim uses another `last`.
    const unaware = job.tick(0, { last: 'another' });
    await granted(job.node, job.tick(0), 'a', SHORT);
    await job.node.settle(job.tick(0), 'a');
    await pass(PAST_SHORT);
    await refused(job.node, unaware, 'b', 'elsewhere', 'a');

    const brief = job.another();
    await granted(job.node, brief.tick(0), 'a');
    await job.node.settle(brief.tick(0, { keep: SHORT }), 'a');
    await pass(PAST_SHORT);
    await granted(job.node, brief.tick(0, { last: 'another' }), 'b');
  }),
  check('keeps the marker of a settled tick for its time, even with `recover`', async (job, pass) => {
    const unaware = job.tick(0, { recover: true, last: 'another' });
    await granted(job.node, job.tick(0, { recover: true }), 'a', SHORT);
    await job.node.settle(job.tick(0, { recover: true }), 'a');
    await pass(PAST_SHORT + TAKEOVER_WINDOW);
    await refused(job.node, unaware, 'b', 'elsewhere', 'a');
  }),
  check('records the tick as run even if the lock was lost', async (job, pass) => {
    await granted(job.node, job.tick(0), 'a', SHORT);
    await pass(PAST_SHORT);
    await granted(job.node, job.plain(), 'b');
    await notHeld(job.node.settle(job.tick(0), 'a'));
    await refused(job.node, job.plain(), 'c', 'overlap', 'b');
    await votes(job.node, job.tick(0), 'c', 'settled');
  }),

  // No tick after its successor.
  check('refuses the settled tick and older ones, and grants newer ones', async (job) => {
    await granted(job.node, job.tick(-1000), 'a');
    await job.node.settle(job.tick(-1000), 'a');
    await votes(job.node, job.tick(-1000), 'b', 'settled');
    await votes(job.node, job.tick(-2000), 'b', 'settled');
    await granted(job.node, job.tick(0), 'b');
  }),
  check('refuses a settled tick to its own token too', async (job) => {
    await granted(job.node, job.tick(0), 'a');
    await job.node.settle(job.tick(0), 'a');
    await votes(job.node, job.tick(0), 'a', 'settled');
  }),
  check('never sets the newest settled tick back', async (job, pass) => {
    await granted(job.node, job.tick(-1000), 'a', SHORT);
    await pass(PAST_SHORT);
    await granted(job.node, job.tick(0), 'b');
    await job.node.settle(job.tick(0), 'b');
    await job.node.settle(job.tick(-1000), 'a');
    await votes(job.node, job.tick(0), 'c', 'settled');
  }),
  check('compares ticks as numbers, not as strings', async ({ node }) => {
    const early = new Job(node, 0);
    await granted(node, early.tick(999), 'a');
    await node.settle(early.tick(999), 'a');
    await granted(node, early.tick(1000), 'b');
    await node.settle(early.tick(1000), 'b');
    await votes(node, early.tick(1000), 'c', 'settled');
  }),

  // No tick before its time.
  check('says "early", and how long to wait, before a tick is due', async (job) => {
    const vote = await votes(job.node, job.tick(LONG), 'a', 'early');
    about('wait' in vote ? vote.wait : undefined, LONG);
    await granted(job.node, job.plain(), 'b');
  }),
  check('does not let a takeover wait for a tick that is not due', async (job) => {
    await votes(job.node, takeoverOf(job.tick(LONG)), 'a', 'unbegun');
  }),
  check('grants a tick shortly before it is due', async (job, pass) => {
    await granted(job.node, job.tick(EARLY_CLAIM_TOLERANCE / 2), 'a');
    const soon = job.another();
    const vote = await job.node.claim(soon.tick(EARLY_CLAIM_TOLERANCE + SHORT), 'a', LONG);
    if (vote.kind === 'early') await pass(vote.wait);
    await granted(job.node, soon.tick(EARLY_CLAIM_TOLERANCE + SHORT), 'a');
  }),

  // A release undoes the claim.
  check('undoes everything that a claim wrote', async (job) => {
    await granted(job.node, job.all(), 'a');
    await held(job.node.release(job.all(), 'a'));
    await granted(job.node, job.all(), 'b');
  }),
  check('does not treat a released tick as settled', async (job) => {
    await granted(job.node, job.tick(-1000), 'a');
    await job.node.release(job.tick(-1000), 'a');
    await granted(job.node, job.tick(-2000), 'b');
    await job.node.release(job.tick(-2000), 'b');
    await granted(job.node, job.tick(-1000), 'c');
  }),
  check('leaves the newest settled tick alone when a later claim is undone', async (job) => {
    await granted(job.node, job.tick(-1000), 'a');
    await job.node.settle(job.tick(-1000), 'a');
    await granted(job.node, job.tick(0), 'b');
    await job.node.release(job.tick(0), 'b');
    await votes(job.node, job.tick(-1000), 'c', 'settled');
  }),
  check(
    'undoes the markers of a claim whose lock another claim holds by now, but not that lock',
    async (job, pass) => {
      await granted(job.node, job.all(), 'a', SHORT);
      await pass(PAST_SHORT);
      await granted(job.node, job.plain(), 'b');
      await notHeld(job.node.release(job.all(), 'a'));
      await refused(job.node, job.plain(), 'c', 'overlap', 'b');
      await granted(job.node, job.beside(job.all()), 'c');
    },
  ),

  // Ticks with `recover`.
  check('says how long the lease of a tick with `recover` still lasts', async (job) => {
    const claim = job.tick(0, { recover: true });
    await granted(job.node, claim, 'a');
    const vote = await refused(job.node, claim, 'b', 'elsewhere', 'a');
    about(leaseOf(vote), LONG);
  }),
  check('mentions no lease for a tick without `recover`', async (job) => {
    await granted(job.node, job.tick(0), 'a');
    assert.equal(leaseOf(await refused(job.node, job.tick(0), 'b', 'elsewhere', 'a')), undefined);
  }),
  check('lets a tick with `recover` be taken over once its lease is over', async (job, pass) => {
    const claim = job.tick(0, { recover: true });
    await granted(job.node, claim, 'a', SHORT);
    await pass(PAST_SHORT);
    await granted(job.node, claim, 'b');
    await refused(job.node, claim, 'c', 'elsewhere', 'b');
    await notHeld(job.node.extend(claim, 'a', LONG));
    await notHeld(job.node.release(claim, 'a'));
    await refused(job.node, claim, 'c', 'elsewhere', 'b');
  }),
  check('reserves the lock of a tick with `recover` for a takeover', async (job, pass) => {
    await unhurried(SHORT + TAKEOVER_WINDOW, async () => {
      const due = job.another();
      await granted(job.node, due.tick(-1000, { recover: true }), 'a', SHORT);
      await pass(PAST_SHORT);
      await refused(job.node, due.tick(0, { recover: true }), 'b', 'overlap', 'a');
      await refused(job.node, due.plain(), 'b', 'overlap', 'a');
    });
  }),
  check('leaves the tick of a released takeover to the next takeover', async (job, pass) => {
    await unhurried(SHORT + 2 * TAKEOVER_WINDOW, async () => {
      const due = job.another();
      const claim = due.tick(-1000, { recover: true });
      const takeover = takeoverOf(claim);
      await granted(job.node, claim, 'a', SHORT);
      await pass(PAST_SHORT);
      await granted(job.node, takeover, 'b');
      await held(job.node.release(takeover, 'b'));
      await refused(job.node, due.tick(0, { recover: true }), 'c', 'overlap', 'b');
      await refused(job.node, due.plain(), 'c', 'overlap', 'b');
      await granted(job.node, takeover, 'd');
      await held(job.node.release(takeover, 'd'));
      await pass(TAKEOVER_WINDOW + 100);
      await granted(job.node, due.plain(), 'e');
    });
  }),
  check('frees the lock of a tick with `recover` if no claim takes it over', async (job, pass) => {
    await granted(job.node, job.tick(-1000, { recover: true }), 'a', SHORT);
    await pass(PAST_SHORT + TAKEOVER_WINDOW);
    await granted(job.node, job.tick(0, { recover: true }), 'b');
  }),
  check('extends a tick with `recover` together with its lock', async (job, pass) => {
    const claim = job.tick(0, { recover: true });
    await granted(job.node, claim, 'a', SHORT);
    await held(job.node.extend(claim, 'a', LONG));
    await pass(PAST_SHORT + TAKEOVER_WINDOW);
    about(leaseOf(await refused(job.node, claim, 'b', 'elsewhere', 'a')), LONG);
  }),
  check('writes the missing marker again when a tick with `recover` is extended', async (job, pass) => {
    const claim = job.tick(0, { recover: true });
    await granted(job.node, claim, 'a', SHORT);
    await pass(PAST_SHORT + TAKEOVER_WINDOW);
    await held(job.node.extend(claim, 'a', LONG));
    about(leaseOf(await refused(job.node, claim, 'b', 'elsewhere', 'a')), LONG);
  }),
  check('extends a tick with `recover` that was left by a released takeover', async (job, pass) => {
    await unhurried(SHORT + 2 * TAKEOVER_WINDOW, async () => {
      const claim = job.another().tick(0, { recover: true });
      await granted(job.node, claim, 'a', SHORT);
      await pass(PAST_SHORT);
      await granted(job.node, takeoverOf(claim), 'b');
      await notHeld(job.node.extend(claim, 'a', LONG));
      await held(job.node.release(takeoverOf(claim), 'b'));
      await pass(TAKEOVER_WINDOW + 100);
      await held(job.node.extend(claim, 'a', LONG));
      about(leaseOf(await refused(job.node, claim, 'c', 'elsewhere', 'a')), LONG);
    });
  }),
  check('grants no takeover once the first claim has settled the tick after all', async (job, pass) => {
    const claim = job.tick(0, { recover: true });
    await granted(job.node, claim, 'a', SHORT);
    await pass(PAST_SHORT + TAKEOVER_WINDOW);
    await job.node.settle(claim, 'a');
    await votes(job.node, claim, 'b', 'settled');
  }),
  check('grants a takeover although the dead claim has the marker of the interval', async (job, pass) => {
    await unhurried(SHORT + TAKEOVER_WINDOW, async () => {
      const due = job.another();
      const claim = { ...due.tick(0, { recover: true }), ...due.every() };
      await granted(job.node, claim, 'a', SHORT);
      await pass(PAST_SHORT);
      await granted(job.node, claim, 'b');
    });
  }),

  // Only dead claims are taken over.
  check('grants no takeover of a tick without `recover`', async (job, pass) => {
    const keep = PAST_SHORT + TAKEOVER_WINDOW / 2;
    await granted(job.node, job.tick(0, { keep }), 'a');
    await pass(PAST_SHORT);
    const vote = await refused(job.node, job.tick(0, { recover: true }), 'b', 'elsewhere', 'a');
    assert.equal(leaseOf(vote), undefined);
  }),
  check('says whose claim was taken over', async (job, pass) => {
    const claim = job.tick(0, { recover: true });
    await granted(job.node, claim, 'a', SHORT);
    await pass(PAST_SHORT);
    const vote = await votes(job.node, claim, 'b', 'granted');
    assert.equal('dead' in vote ? vote.dead : undefined, 'a');
  }),
  check('says "unbegun" to a takeover of a tick that no claim has begun', async (job, pass) => {
    await votes(job.node, takeoverOf(job.tick(0, { recover: true })), 'a', 'unbegun');
    await granted(job.node, job.tick(0, { recover: true }), 'b', SHORT);
    await refused(job.node, takeoverOf(job.tick(0, { recover: true })), 'a', 'elsewhere', 'b');
    // Also long after its lock has ended.
    await pass(PAST_SHORT + TAKEOVER_WINDOW);
    await granted(job.node, takeoverOf(job.tick(0, { recover: true })), 'a');
  }),
  check(
    'grants a takeover of a tick that another node knows to have been begun, if this node knows a settled tick',
    async (job) => {
      const [before, tick] = [job.tick(-1000), job.tick(0, { recover: true })];
      const takeover = begunElsewhere(tick);
      await votes(job.node, takeover, 'a', 'unbegun');
      await granted(job.node, before, 'a');
      await job.node.settle(before, 'a');
      await votes(job.node, takeoverOf(tick), 'a', 'unbegun');
      await granted(job.node, takeover, 'a');
    },
  ),
  check('settles no tick that another claim has taken over', async (job, pass) => {
    const claim = job.tick(0, { recover: true });
    await granted(job.node, claim, 'a', SHORT);
    await pass(PAST_SHORT);
    await granted(job.node, claim, 'b');
    await notHeld(job.node.settle(claim, 'a'));
    await refused(job.node, claim, 'c', 'elsewhere', 'b');
    await held(job.node.extend(claim, 'b', LONG));
  }),

  // A renewal tells the truth.
  check('extends nothing for a tick that is settled', async (job) => {
    await granted(job.node, job.tick(0), 'a');
    await job.node.settle(job.tick(0), 'a');
    await notHeld(job.node.extend(job.tick(0), 'a', LONG));
    await granted(job.node, job.plain(), 'b');
    // Also once a newer tick is settled, if runs may overlap.
    const [older, newer] = [-2000, -1000].map((at) => job.tick(at, { recover: true, last: 'last of two' }));
    for (const claim of [older!, newer!]) {
      await granted(job.node, { ...job.beside(claim), mayOverlap: true }, 'a');
      await job.node.settle({ ...job.beside(claim), mayOverlap: true }, 'a');
    }
    await notHeld(job.node.extend({ ...job.beside(older!), mayOverlap: true }, 'a', LONG));
  }),
  check('extends nothing for a tick that another claim has begun', async (job, pass) => {
    await granted(job.node, job.tick(0, { keep: SHORT }), 'a', SHORT);
    await pass(PAST_SHORT);
    await granted(job.node, job.beside(job.tick(0)), 'b');
    await notHeld(job.node.extend(job.tick(0), 'a', LONG));
  }),
  check('extends nothing once a newer tick is settled, unless runs may overlap', async (job, pass) => {
    await granted(job.node, job.tick(-1000), 'a');
    await granted(job.node, job.beside(job.tick(0)), 'b');
    await job.node.settle(job.beside(job.tick(0)), 'b');
    // The first claim has held its lock all the time.
    await held(job.node.extend(job.tick(-1000), 'a', SHORT));
    await pass(PAST_SHORT);
    await notHeld(job.node.extend(job.tick(-1000), 'a', LONG));
    await held(job.node.extend({ ...job.tick(-1000), mayOverlap: true }, 'a', LONG));
  }),
  check(
    'extends nothing once another claim has begun the interval, unless runs may overlap',
    async (job, pass) => {
      await granted(job.node, job.every(SHORT), 'a');
      await pass(PAST_SHORT);
      await granted(job.node, job.beside(job.every()), 'b');
      await notHeld(job.node.extend(job.every(SHORT), 'a', LONG));
      await held(job.node.extend({ ...job.every(SHORT), mayOverlap: true }, 'a', LONG));
    },
  ),

  // Clocks that were wrong.
  check('says how far the newest settled tick is ahead of its clock', async (job) => {
    await job.node.settle(job.tick(LONG), 'a');
    const vote = await votes(job.node, job.tick(0), 'b', 'settled');
    about('ahead' in vote ? vote.ahead : undefined, LONG);
    const usual = job.another();
    await usual.node.settle(usual.tick(0), 'a');
    assert.deepEqual(await usual.node.claim(usual.tick(-1000), 'b', LONG), { kind: 'settled' });
  }),
  check('shortens the marker of an interval that was written for longer', async (job, pass) => {
    await granted(job.node, job.every(LONG), 'a');
    await job.node.settle(job.every(LONG), 'a');
    await refused(job.node, job.every(SHORT), 'b', 'ran', 'a');
    await pass(PAST_SHORT);
    await granted(job.node, job.every(SHORT), 'b');
  }),

  // Names.
  check('accepts any string as a key', async ({ node }) => {
    const texts = ['\'"`', '\r\n\t\0', ' ', '%s $1 \\u0000', '雪 🧶 é', 'x'.repeat(10_000)];
    for (const text of texts) {
      const lock = `${text}:${randomUUID()}`;
      await granted(node, { lock }, 'a');
      await refused(node, { lock }, 'b', 'overlap', 'a');
      await held(node.release({ lock }, 'a'));
    }
  }),

  // What is known about jobs and instances.
  ...KNOWLEDGE_CHECKS,
];
