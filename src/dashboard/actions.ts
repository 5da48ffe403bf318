import { InvalidOptionError, RedlockError } from '../errors.js';
import { checkedOptions, text } from '../checks.js';
import { longMilliseconds } from '../options/duration.js';
import { recordedError } from '../records/run-record.js';
import type { ActionOutcome } from './page-data.js';
import type { RedlockApi } from './redlock-api.js';
import { within } from './within.js';

/** How long an answer waits for a run to end, in milliseconds: proxies end requests that take long. */
const PATIENCE = 2000;

const NOT_PARSED =
  'of the request was not parsed: is a JSON body parser active for this path (bodyParser: false turns it off)?';

const CHECKS = { name: text('report'), for: longMilliseconds, note: text('migration 42') };

/**
 * Does what a button of the page asks for. Throws what the service throws, except what a run of the job has thrown:
 * that is an outcome.
 */
export async function act(redlock: RedlockApi, action: string, body: unknown): Promise<ActionOutcome> {
  if (body === undefined)
    throw new InvalidOptionError('the dashboard', 'body', NOT_PARSED, { subject: 'the body' });
  const { name: given, ...options } = checkedOptions(action, body, CHECKS);
  const name = CHECKS.name(action, 'name', given);
  switch (action) {
    case 'pause':
      await redlock.pause(name, options);
      return { name, outcome: 'paused' };
    case 'resume':
      await redlock.resume(name);
      return { name, outcome: 'resumed' };
    case 'trigger':
      return triggered(redlock, name);
    default:
      throw new InvalidOptionError('the dashboard', 'action', 'must be pause, resume or trigger', {
        received: action,
      });
  }
}

/** What the routine returned is not for the page. */
async function triggered(redlock: RedlockApi, name: string): Promise<ActionOutcome> {
  let hasBegun = false;
  const forget = redlock.on('started', (event) => {
    hasBegun ||= event.name === name && event.trigger === 'manual';
  });
  const outcome = async (): Promise<ActionOutcome> => {
    try {
      const run = await redlock.trigger(name);
      return run.ran ? { name, outcome: 'finished' } : { name, outcome: 'skipped', reason: run.reason };
    } catch (error) {
      // A run can throw errors of this package, too.
      if (!hasBegun && error instanceof RedlockError) throw error;
      return { name, outcome: 'failed', reason: recordedError(error) };
    } finally {
      forget();
    }
  };
  const known = await within(outcome(), PATIENCE);
  return known ?? { name, outcome: hasBegun ? 'running' : 'waiting' };
}
