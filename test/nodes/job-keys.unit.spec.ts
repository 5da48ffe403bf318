import slotOf from 'cluster-key-slot';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JobKeys } from '../../src/nodes/job-keys.js';

/** What means something to Redis, to Lua, to us, or to a shell. */
const SPECIAL = [
  '{',
  '}',
  '{}',
  '{a}',
  '%',
  '%7B',
  '%7D',
  ':',
  ':last',
  ':every',
  ':lock',
  ':tick:5',
  ':run:5',
  '_',
];
const HOSTILE = [
  "'",
  '"',
  '`',
  '\\',
  '\n',
  '\r\n',
  '\0',
  '\t',
  ' ',
  '$1',
  '%s',
  'é',
  '雪',
  '🧶',
  '\u202e',
  'a',
];

/** Any character. `unit: 'binary'` of `fc.string` gives the same, but builds a table of all of them first. */
const character = fc
  .integer({ min: 0, max: 0x10ffff })
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code));
const text = fc.oneof(
  fc.array(character, { maxLength: 30 }).map((characters) => characters.join('')),
  fc.array(fc.constantFrom(...SPECIAL, ...HOSTILE), { maxLength: 8 }).map((parts) => parts.join('')),
  fc.array(fc.constantFrom(...SPECIAL), { maxLength: 5 }).map((parts) => parts.join('')),
);
const name = text.filter((value) => value !== '');
const prefix = fc.oneof(fc.constant('JOB_LOCKER'), name);

describe('the keys of a job', () => {
  it('are JOB_LOCKER_<name> for the lock, and beside it in the same slot for all else', () => {
    expect(allKeys('JOB_LOCKER', 'report')).toEqual([
      'JOB_LOCKER_report',
      '{JOB_LOCKER_report}:last',
      '{JOB_LOCKER_report}:every',
      '{JOB_LOCKER_report}:tick:5',
      '{JOB_LOCKER_report}:tick:55',
      '{JOB_LOCKER_report}:run:5',
      '{JOB_LOCKER_report}:losers:5',
      '{JOB_LOCKER_report}:losers:every',
    ]);
  });

  it('have the lock of the usual recipe for every name that braces do not forbid', () => {
    fc.assert(
      fc.property(
        name.filter((value) => !value.includes('}')),
        (plain) => {
          expect(new JobKeys('JOB_LOCKER', plain).lock).toBe(`JOB_LOCKER_${plain}`);
        },
      ),
    );
    expect(new JobKeys('JOB_LOCKER', 'report {tenant-1}').lock).toBe('JOB_LOCKER_report {tenant-1}');
  });

  it('fall in one Cluster slot, whatever the name and the prefix', () => {
    fc.assert(
      fc.property(prefix, name, (start, job) => {
        const slots = allKeys(start, job).map((key) => slotOf(key));
        expect(new Set(slots).size).toBe(1);
      }),
      { numRuns: 2000 },
    );
  });

  it('fall in one Cluster slot for a name of 10,000 characters', () => {
    for (const part of ['x', '}', '{}', '雪', "'\n"]) {
      const slots = allKeys('JOB_LOCKER', part.repeat(10_000 / part.length)).map((key) => slotOf(key));
      expect(new Set(slots).size).toBe(1);
    }
  });

  it('are different from each other', () => {
    fc.assert(
      fc.property(prefix, name, (start, job) => {
        const keys = allKeys(start, job);
        expect(new Set(keys).size).toBe(keys.length);
      }),
      { numRuns: 1000 },
    );
  });

  it('are never the keys of another job', () => {
    fc.assert(
      fc.property(prefix, name, name, (start, one, other) => {
        fc.pre(one !== other);
        expect(sharedKeys(start, one, other)).toEqual([]);
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['JOB_LOCKER', '{x}', '{x}:last'],
    ['JOB_LOCKER', '{x}', '{x}:tick:5'],
    ['JOB_LOCKER', '{tenant}:report', '{tenant}:report:every'],
    ['JOB_LOCKER', 'a}', 'a%7D'],
    ['{app}', 'report', 'report:last'],
    ['{app}', 'report', 'report:run:5'],
    ['{app', 'report}', 'report}:last'],
  ])('with the prefix %j are different for %j and %j', (start, one, other) => {
    expect(sharedKeys(start, one, other)).toEqual([]);
  });

  it('are different for the same name under another prefix', () => {
    expect(sharedKeysOf(allKeys('A', 'report'), allKeys('B', 'report'))).toEqual([]);
  });
});

function allKeys(keyPrefix: string, job: string): string[] {
  const keys = new JobKeys(keyPrefix, job);
  return [
    keys.lock,
    keys.last,
    keys.every,
    keys.tick(5),
    keys.tick(55),
    keys.run('5'),
    keys.losers(5),
    keys.losers('every'),
  ];
}

function sharedKeys(keyPrefix: string, one: string, other: string): string[] {
  return sharedKeysOf(allKeys(keyPrefix, one), allKeys(keyPrefix, other));
}

function sharedKeysOf(one: readonly string[], other: readonly string[]): string[] {
  return one.filter((key) => other.includes(key));
}
