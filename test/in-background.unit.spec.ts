import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { inBackground, loggingFailure } from '../src/in-background.js';
import { LogSpy } from './nodes/support.js';

let log: LogSpy;
beforeEach(() => void (log = new LogSpy()));
afterEach(() => log.restore());

it('bookkeeping that fails is logged, and rejects nowhere', async () => {
  await inBackground('Counting', () => Promise.reject(new Error('no numbers')));
  expect(JSON.stringify(log)).toContain('Counting failed: Error: no numbers');
});

it('the log has where it failed, and no secret of the error', async () => {
  await inBackground('Counting', () => Promise.reject(new Error('refused: password=hunter2')));
  expect(JSON.stringify(log)).toContain('in-background.unit.spec.ts');
  expect(JSON.stringify(log)).not.toContain('hunter2');
});

it('the log has no secret of an error that quotes the stack of another one', async () => {
  const other = 'Error: the first one\n    at Database.connect (db.js:1:1)\n';
  await inBackground('Counting', () => Promise.reject(new Error(`${other}Caused by: password=hunter2`)));
  expect(JSON.stringify(log)).toContain('in-background.unit.spec.ts');
  expect(JSON.stringify(log)).not.toContain('hunter2');
});

it('an error that cannot be read is logged, too', async () => {
  class Unreadable extends Error {
    override get message(): string {
      throw new TypeError('no response');
    }
  }
  const errors = [
    new Unreadable(),
    Object.defineProperty(new Error('no stack'), 'stack', { get: () => fail() }),
  ];
  for (const error of errors) await inBackground('Counting', () => Promise.reject(error));
  expect(JSON.stringify(log)).toContain('Counting failed: an error that cannot be read');
  expect(JSON.stringify(log)).toContain('Counting failed: Error: no stack');
});

function fail(): never {
  throw new TypeError('not to be read');
}

it('work in the background is done outside the call that has led to it, and that of a listener within', async () => {
  const calls = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const work = async (): Promise<void> => {
    await Promise.resolve();
    seen.push(calls.getStore());
  };
  await calls.run('a call', () => inBackground('Counting', work));
  await calls.run('a call', () => loggingFailure('Counting', work));
  expect(seen).toEqual([undefined, 'a call']);
});
