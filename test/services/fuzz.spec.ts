import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError, MemoryNode, RedlockModule, RedlockService } from '../../src/index.js';
import { milliseconds } from '../../src/options/duration.js';
import { resolveOptions } from '../../src/options/resolve-options.js';
import { startFleet } from '../module/application.js';
import { useServer } from '../module/redis.js';

const LONGEST = 2 ** 31 - 1;

const units = fc.constantFrom('ms', 's', 'sec', 'm', 'min', 'h', 'd', 'w', 'y', ' hours', 'x', '');
/** What somebody could give for a duration: numbers and texts that look like one, and anything else. */
const duration = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.tuple(fc.oneof(fc.double(), fc.integer()), units).map(([number, unit]) => `${number}${unit}`),
  fc.string({ unit: 'binary' }),
  fc.string({ minLength: 90, maxLength: 200 }),
  fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true, withMap: true, withSet: true }),
);

/** A value, or an `InvalidOptionError` that says which option it is about, and not more than one wants to read. */
function valueOrRefusal<T>(option: string, act: () => T): T | 'refused' {
  try {
    return act();
  } catch (error) {
    const message = String(error);
    const isRefusal = error instanceof InvalidOptionError && message.includes(option);
    if (isRefusal && message.length < 1000) return 'refused';
    throw error;
  }
}

describe('any value for a duration', () => {
  it('is a whole number of milliseconds that a timer can wait for, or is refused with the name of the option', () => {
    fc.assert(
      fc.property(duration, (value) => {
        const length = valueOrRefusal('patience', () => milliseconds('wait()', 'patience', value));
        if (length === 'refused') return;
        expect(length).toSatisfy(Number.isInteger);
        expect(length).toBeGreaterThanOrEqual(1);
        expect(length).toBeLessThanOrEqual(LONGEST);
      }),
      { numRuns: 3000 },
    );
  });

  it.each(['ttl', 'nodeTimeout', 'shutdownTimeout', 'maxRuntime'])(
    'is taken or refused by forRoot as %s',
    (option) => {
      fc.assert(
        fc.property(duration, (value) => {
          if (value === undefined) return;
          // A nodeTimeout can be fine, and too long for the ttl.
          const name = option === 'nodeTimeout' ? 't' : option;
          expect(() =>
            valueOrRefusal(name, () => RedlockModule.forRoot({ nodes: 'memory', [option]: value })),
          ).not.toThrow();
        }),
        { numRuns: 500 },
      );
    },
  );
});

describe('any value for another option', () => {
  it.each(['nodes', 'keyPrefix', 'enabled', 'instanceId', 'onStoreDown'])(
    'is taken or refused by forRoot: %s',
    (option) => {
      fc.assert(
        fc.property(fc.oneof(fc.webUrl(), fc.anything({ withNullPrototype: true })), (value) => {
          expect(() => valueOrRefusal(option, () => resolveOptions({ [option]: value }))).not.toThrow();
        }),
        { numRuns: 1000 },
      );
    },
  );
});

describe('any text for a name', () => {
  const server = useServer();
  const names = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
  const nasty = fc.constantFrom(
    '{',
    '}',
    '{}',
    '}{',
    '{a}',
    ' ',
    '\n',
    '"',
    "'",
    '\0',
    'é',
    '名',
    '%7B',
    ':tick:1',
  );
  const name = fc.oneof(
    names,
    fc.array(nasty, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('')),
  );

  it.each([
    ['in memory', () => new MemoryNode()],
    ['in Redis', () => server.it.url],
  ])('locks that name and no other, %s', async (_where, nodes) => {
    const apps = await startFleet(2, { redlock: { nodes: nodes() } });
    const [redlock, elsewhere] = apps.map((app) => app.get(RedlockService));
    await fc.assert(
      fc.asyncProperty(name, name, async (one, other) => {
        const outcome = await redlock!.run(one, async () => [
          (await elsewhere!.run(one, () => 1)).ran,
          (await elsewhere!.run(other, () => 1)).ran,
        ]);
        expect(outcome).toEqual({ ran: true, value: [false, one !== other] });
      }),
      { numRuns: 150 },
    );
  });

  it('of ten thousand characters is one as well', async () => {
    const apps = await startFleet(2, { redlock: { nodes: server.it.url } });
    const [redlock, elsewhere] = apps.map((app) => app.get(RedlockService));
    const long = 'x'.repeat(10_000);
    const outcome = await redlock!.run(long, async () => (await elsewhere!.run(long, () => 1)).ran);
    expect(outcome).toEqual({ ran: true, value: false });
  });
});
