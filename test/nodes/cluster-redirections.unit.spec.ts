import { Cluster } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { CONTESTED, unreachable } from '../../src/nodes/redis/causes.js';
import { mostTelling, tellWhyGivenUp } from '../../src/nodes/redis/cluster-redirections.js';
import { perhapsCarriedOut, Unserved } from '../../src/nodes/redis/redis-errors.js';

const CLOSED = 'Connection is closed.';
const MOVED = 'MOVED 5 10.1.1.2:6379';
const ASK = 'ASK 5 10.1.1.3:6379';
const TRYAGAIN = 'TRYAGAIN Multiple keys request';
const DOWN = 'CLUSTERDOWN The cluster is down';
const OOM = 'OOM command not allowed';

it.each<[errors: string[], told: string]>([
  [[CLOSED, MOVED, CLOSED], unreachable('10.1.1.2:6379')],
  [[CLOSED, MOVED], unreachable('10.1.1.2:6379')],
  [[CLOSED, CLOSED], unreachable()],
  [[MOVED, MOVED], CONTESTED],
  [[TRYAGAIN, MOVED, ASK, MOVED], ASK],
  [[TRYAGAIN, MOVED], TRYAGAIN],
  [[ASK, CLOSED, MOVED], ASK],
  [[CLOSED, MOVED, DOWN, CLOSED], DOWN],
  [[DOWN, MOVED], DOWN],
  [[CLOSED, MOVED, OOM], OOM],
])('of the errors %j, a command that is given up tells: %s', (messages, told) => {
  const errors = messages.map((message) => new Error(message));
  const error = mostTelling(errors);
  expect(error.message).toBe(told);
  expect(errors.includes(error)).toBe(!(error instanceof Unserved));
});

/** What becomes of a command whose attempts fail with these errors: `undefined` if it is sent again. */
function outcomeOf(...messages: string[]): Error | undefined {
  const cluster = new Cluster([{ host: '10.1.1.1', port: 6379 }], { lazyConnect: true, maxRedirections: 2 });
  cluster.status = 'ready';
  tellWhyGivenUp(cluster);
  const command = {};
  let outcome: Error | undefined;
  for (const message of messages) {
    const error = new Error(message);
    cluster.handleError(error, command, {
      moved: again,
      ask: again,
      tryagain: again,
      clusterDown: again,
      connectionClosed: again,
      maxRedirections: (told: Error) => (outcome = told),
      defaults: () => (outcome = error),
    });
  }
  return outcome;
}

function again(): void {}

describe('ioredis gives a command up', () => {
  it('and the reason is the one that says most', () => {
    expect(outcomeOf(MOVED, CLOSED)).toBeUndefined();
    expect(outcomeOf(MOVED, CLOSED, MOVED)).toMatchObject({ message: unreachable('10.1.1.2:6379') });
    expect(outcomeOf(TRYAGAIN, MOVED, MOVED)).toMatchObject({ message: TRYAGAIN });
  });

  it('and it may have been carried out only if a connection was closed', () => {
    expect(perhapsCarriedOut.has(outcomeOf(TRYAGAIN, MOVED, MOVED)!)).toBe(false);
    expect(perhapsCarriedOut.has(outcomeOf(CLOSED, DOWN, DOWN)!)).toBe(true);
    expect(perhapsCarriedOut.has(outcomeOf(TRYAGAIN, MOVED, CLOSED)!)).toBe(true);
    expect(perhapsCarriedOut.has(outcomeOf(OOM)!)).toBe(false);
    expect(perhapsCarriedOut.has(outcomeOf(CLOSED, OOM)!)).toBe(true);
  });
});
