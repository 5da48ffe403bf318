import { expect, it } from 'vitest';
import {
  endOfRefusal,
  fateOf,
  isOfOneClaim,
  isOfOneServer,
  isRefusal,
  perhapsCarriedOut,
  Unserved,
} from '../../src/nodes/redis/redis-errors.js';

function replied(message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError' });
}

it.each<[error: Error, isRefused: boolean, isOfOne: boolean, fate: string, end: string]>([
  [replied('TRYAGAIN Multiple keys request'), true, true, 'refused', 'answer'],
  [replied('ASK 5 10.1.1.2:6379'), true, true, 'refused', 'answer'],
  [replied('CLUSTERDOWN The cluster is down'), true, false, 'refused', 'answer'],
  [replied('CLUSTERDOWN Hash slot not served'), true, true, 'refused', 'answer'],
  [new Unserved('the server cannot be reached'), false, true, 'unknown', 'answer'],
  [new Error('Connection is closed.'), false, false, 'unknown', 'claim'],
])(
  'a command in a Cluster, %s, is refused: %s; only this claim: %s; its fate: %s; over after: %s',
  (error, isRefused, isOfOne, fate, end) => {
    expect(isRefusal(error)).toBe(isRefused);
    expect(isOfOneClaim(error)).toBe(isOfOne);
    expect(fateOf(error)).toBe(fate);
    expect(endOfRefusal(error)).toBe(end);
  },
);

it.each([
  ['LOADING Redis is loading the dataset in memory', true],
  ['BUSY Redis is busy running a script', true],
  ['MASTERDOWN Link with MASTER is down', true],
  ['ERR max number of clients reached', true],
  ['OOM command not allowed', true],
  ['CLUSTERDOWN The cluster is down', false],
  ['NOPERM this user has no permissions', false],
  ['WRONGPASS invalid username-password pair', false],
])('in a Cluster, %j is about one server alone: %s', (message, isOfOne) => {
  expect(isOfOneServer(replied(message))).toBe(isOfOne);
});

it('a refusal of a command that another server may have carried out before leaves its fate unknown', () => {
  const error = replied('OOM command not allowed');
  expect(fateOf(error)).toBe('refused');
  perhapsCarriedOut.add(error);
  expect(fateOf(error)).toBe('unknown');
});
