import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Retries } from '../../src/nodes/retries.js';
import { UndeliveredCommands } from '../../src/nodes/undelivered.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A node that has rejected this many commands, and accepts those that are sent again if `accepts` says so. */
function nodeAfter(rejected: number, accepts: (token: string) => boolean) {
  const undelivered = new UndeliveredCommands(100);
  const node = { sent: [] as string[], most: 0, retries: undefined as unknown as Retries };
  let onTheirWay = 0;
  const retries = new Retries('release', undelivered, async (command) => {
    node.sent.push(command.token);
    node.most = Math.max(node.most, ++onTheirWay);
    await new Promise((resolve) => setTimeout(resolve, 1));
    onTheirWay--;
    if (accepts(command.token)) {
      undelivered.forget(command);
      retries.accepted();
      return;
    }
    undelivered.rejected(command);
    retries.rejected();
    throw new Error('rejected again');
  });
  for (let count = 0; count < rejected; count++) {
    undelivered.rejected(undelivered.add({ kind: 'release' }, { lock: '' }, `${count}`));
    retries.rejected();
  }
  node.retries = retries;
  return node;
}

/** Waits for that many passes, which begin after 100, 200, 400, 800, 1000, … milliseconds. */
const passes = (delays: number[]): Promise<unknown> =>
  vi.advanceTimersByTimeAsync(delays.reduce((sum, delay) => sum + delay, 0));

it('tries ten rejected commands in each pass while the node rejects them, others each time', async () => {
  const node = nodeAfter(25, () => false);
  await passes([99]);
  expect(node.sent).toEqual([]);
  await passes([10]);
  expect(node.sent).toHaveLength(10);
  await passes([200, 400, 10]);
  expect(node.sent).toHaveLength(30);
  expect(new Set(node.sent).size).toBe(25);
});

it('sends all once they are accepted, ten at a time, and nothing after that', async () => {
  const node = nodeAfter(95, () => true);
  await passes([150]);
  expect(node.sent).toHaveLength(95);
  expect(new Set(node.sent).size).toBe(95);
  expect(node.most).toBe(10);
  await passes([10_000]);
  expect(node.sent).toHaveLength(95);
});

it('tries all, each once, if anything else was accepted since: a part of the node may accept them', async () => {
  const node = nodeAfter(95, (token) => Number(token) >= 90);
  await passes([110]);
  expect(node.sent).toHaveLength(10);
  node.retries.accepted();
  await passes([250]);
  expect(node.sent).toHaveLength(10 + 95);
  expect(node.most).toBe(10);
  // The others are rejected again.
  await passes([410]);
  expect(node.sent).toHaveLength(10 + 95 + 10);
});

it('sends nothing any more when it is stopped', async () => {
  const node = nodeAfter(95, () => true);
  await passes([102]);
  node.retries.stop();
  const sent = node.sent.length;
  await passes([10_000]);
  expect(node.sent).toHaveLength(sent);
});
