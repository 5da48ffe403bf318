/**
 * The fault test: `CHAOS_MINUTES` (1) minutes of faults drawn from `CHAOS_SEED` (at random, and printed), and what the
 * judge says of the history. Ends with 1 if the promise was broken. `CHAOS_RECORD` names a file for the whole history.
 */
import { runChaos } from './run-chaos.js';
import { isClean, summaryOf } from './summary.js';

const seed = Number(process.env['CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const minutes = Number(process.env['CHAOS_MINUTES'] ?? 1);

console.log(`Seed ${seed}, ${minutes} minute(s)`);
const report = await runChaos({ seed, minutes, say: console.log, record: process.env['CHAOS_RECORD'] });
console.log(`\n${summaryOf(report)}\n`);
if (isClean(report)) {
  console.log('The promise held.');
} else {
  console.log(
    `The promise was broken. The same faults again: CHAOS_SEED=${seed} CHAOS_MINUTES=${minutes} npm run test:chaos`,
  );
  process.exitCode = 1;
}
