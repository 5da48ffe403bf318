import { inspect } from 'node:util';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import {
  InvalidOptionError,
  LockLostError,
  NodeUnreachableError,
  NotInjectedError,
  RedlockError,
  RunTimeoutError,
  ShutdownError,
  StoreDownError,
} from '../src/index.js';
import { messageOf, quoted, redacted, shown } from '../src/display.js';
import { errorOf } from '../src/errors.js';
import { readOrRefuse } from '../src/checks.js';

const NODE = new NodeUnreachableError('10.1.1.1:6379', 'no answer within 500 ms');

describe('every error', () => {
  it.each<[error: RedlockError, code: string, fields: object]>([
    [
      new InvalidOptionError('lock()', 'ttl', 'must be a duration', { received: 'long' }),
      'ERR_INVALID_OPTION',
      { option: 'ttl', value: 'long', message: 'lock(): ttl must be a duration; received "long"' },
    ],
    [new NotInjectedError('Jobs.report'), 'ERR_NOT_INJECTED', {}],
    [
      new LockLostError('report', 'it has been released', { cause: NODE }),
      'ERR_LOCK_LOST',
      { jobName: 'report', cause: NODE },
    ],
    [NODE, 'ERR_NODE_UNREACHABLE', { address: '10.1.1.1:6379', reason: 'no answer within 500 ms' }],
    [
      new StoreDownError('report', [NODE]),
      'ERR_STORE_DOWN',
      { jobName: 'report', nodes: ['10.1.1.1:6379'], causes: [NODE], cause: NODE },
    ],
    [new RunTimeoutError('report', 500), 'ERR_RUN_TIMEOUT', { jobName: 'report', maxRuntime: 500 }],
    [new ShutdownError('report'), 'ERR_SHUTDOWN', { jobName: 'report' }],
  ])('is a RedlockError with a code and fields: %s', (error, code, fields) => {
    expect(error).toBeInstanceOf(RedlockError);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ ...fields, code, name: error.constructor.name });
  });

  it.each([
    (name: string) => new LockLostError(name, `why ${name}`),
    (name: string) => new StoreDownError(name, [new Error(name)]),
    (name: string) => new RunTimeoutError(name, 1),
    (name: string) => new ShutdownError(name),
    (name: string) => new ShutdownError(name, 'call'),
    (name: string) => new NodeUnreachableError(name, name),
    (name: string) => new NotInjectedError(name),
    (name: string) => new InvalidOptionError(name, 'name', 'must be another', { received: name }),
  ])('has a message of one line, with escapes for what cannot be seen: %s', (create) => {
    const { message } = create('a\n\r\t\0\u001b[31m\u0085\u2028\u2029\u202e\u200bb');
    expect(message).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(message).toMatch(/a\\n.*\\u001b.*\\u0085.*\\u2028.*\\u202e.*b/);
  });
});

describe('a name in a message', () => {
  it('of a megabyte is shortened, in a moment', () => {
    for (const part of ['x', '\n', '://', ':', '@', 'a:', '\uD800']) {
      const name = part.repeat(2 ** 20 / part.length);
      expect(quoted(name).length).toBeLessThan(1500);
      expect(shown(name).length).toBeLessThan(1500);
      expect(redacted(name).length).toBeLessThan(10_000);
      expect(new StoreDownError(name, [NODE]).message.length).toBeLessThan(2000);
    }
  });

  it('that contains an address of somebody is shown, and the credentials of a URL are not', () => {
    expect(quoted('mail:bob@example.com')).toBe('"mail:bob@example.com"');
    expect(quoted('fetch https://u:s3cr3t@a/b')).toBe('"fetch https://***@a/b"');
    expect(quoted('fetch https://a:8080/b')).toBe('"fetch https://a:8080/b"');
    expect(quoted('redis://:s3cr3t')).toBe('"redis://***"');
    expect(quoted(`https://u:s3cr3t${'x'.repeat(300)}@a/b`)).not.toContain('s3cr3t');
  });
});

describe('a value in a message', () => {
  it.each<[value: unknown, text: string]>([
    ['soon', '"soon"'],
    [undefined, 'undefined'],
    [null, 'null'],
    [Number.NaN, 'NaN'],
    [10n, '10n'],
    [Symbol('s3cr3t'), 'a symbol'],
    [() => 's3cr3t', 'a function'],
    [{ password: 's3cr3t' }, 'an object'],
    [['s3cr3t'], 'an array'],
    [new URL('redis://:s3cr3t@a'), 'an instance of URL'],
    [new Map([['password', 's3cr3t']]), 'an instance of Map'],
    [Object.create(null), 'an object'],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [{ toString: () => 's3cr3t' }, 'an object'],
    ['redis://:s3cr3t@a', '"redis://***"'],
    ['redis://:s3cr3t', '"redis://***"'],
    ['redis://u:p\ns3cr3t@a', '"redis://***"'],
    ['u:s3cr3t@a', '"***"'],
    ['host=a password=s3cr3t', '"***"'],
  ])('is shown by its kind, and never with a secret: %s', (value, text) => {
    expect(shown(value)).toBe(text);
    const error = new InvalidOptionError('lock()', 'ttl', 'must be a duration', { received: value });
    expect(inspect(error, { showHidden: true, depth: 5 })).not.toContain('s3cr3t');
  });

  it.each<[what: string, value: unknown, kept: unknown]>([
    ['a short one', 10n, 10n],
    ['a long number', 10n ** 300n, undefined],
    ['a long string', 'x'.repeat(300), undefined],
  ])('is the value of the error only if it is shown in full: %s', (_what, value, kept) => {
    expect(new InvalidOptionError('lock()', 'ttl', '', { received: value }).value).toBe(kept);
  });

  it('that cannot be read is shown as an object', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(shown(proxy)).toBe('an object');
  });
});

describe('what was thrown', () => {
  it('is the error, with its fields', () => {
    expect(errorOf(NODE)).toBe(NODE);
  });

  it('is told of an error of another context, such as those of Node.js in Jest', () => {
    const thrown: unknown = runInNewContext("new TypeError('no paper')");
    expect(thrown).not.toBeInstanceOf(Error);
    expect(messageOf(thrown)).toBe('TypeError: no paper');
    expect(errorOf(thrown).message).toBe('TypeError: no paper');
  });

  it('is a cause if it cannot be read', () => {
    const { proxy, revoke } = Proxy.revocable(new Error('no paper'), {});
    revoke();
    const read = () =>
      readOrRefuse('lock()', 'ttl', () => {
        throw proxy;
      });
    expect(read).toThrow(InvalidOptionError);
    expect(errorOf(proxy).message).toBe('an error that cannot be read');
  });
});
