import { Injectable } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { Exclusive, InvalidOptionError, type JobName, RedlockService } from '../../src/index.js';
import { build, start } from '../module/application.js';
import { clientOf, keysOfJobs, useServer } from '../module/redis.js';

@Injectable()
abstract class Import {
  constructor(readonly redlock: RedlockService) {}

  @Exclusive()
  async run(): Promise<string | undefined> {
    return this.redlock.current()?.name;
  }
}

@Injectable()
class Orders extends Import {}

@Injectable()
class Invoices extends Import {
  @Exclusive({ ttl: '1m' })
  async send(): Promise<string | undefined> {
    return this.redlock.current()?.name;
  }
}

describe('a name that is left out', () => {
  it('is the class and the method, for a method that two classes inherit too', async () => {
    const app = await start({ providers: [Orders, Invoices] });
    expect(await app.get(Orders).run()).toBe('Orders.run');
    expect(await app.get(Invoices).run()).toBe('Invoices.run');
    expect(await app.get(Invoices).send()).toBe('Invoices.send');
  });
});

function classNamed(name: JobName | undefined): new () => { work(...args: unknown[]): Promise<unknown> } {
  @Injectable()
  class Jobs {
    calls = 0;
    @Exclusive(name)
    async work(...args: unknown[]): Promise<unknown> {
      this.calls++;
      return args;
    }
  }
  return Jobs;
}

describe('a name that is no name', () => {
  it.each(['', 0, null, true, Symbol('name')])('is refused where it is given: %s', (name) => {
    const decorate = (): unknown => classNamed(name as unknown as string);
    expect(decorate).toThrow(InvalidOptionError);
    expect(decorate).toThrow("@Exclusive on Jobs.work: name must be a non-empty string, such as 'report'");
  });
});

describe('a function for a name', () => {
  const server = useServer();

  it('gets the arguments of the call, and the instance as its this', async () => {
    const seen: string[] = [];
    @Injectable()
    class Tenants {
      readonly prefix = 'report';
      constructor(readonly redlock: RedlockService) {}

      @Exclusive(function (this: Tenants, tenant: string) {
        return `${this.prefix}:${tenant}`;
      })
      async report(tenant: string): Promise<void> {
        seen.push(`${tenant} ${this.redlock.current()?.name}`);
      }
    }
    const app = await start({ providers: [Tenants] });
    const tenants = app.get(Tenants);
    await Promise.all(['a', 'a', 'b'].map((tenant) => tenants.report(tenant)));
    expect(seen).toEqual(['a report:a', 'b report:b']);
  });

  const fault = new Error('no such tenant');
  it.each<[string, () => unknown]>([
    ['an empty text', () => ''],
    ['a number', () => 7],
    ['nothing', () => undefined],
    ['a promise', () => Promise.resolve('report')],
  ])('that returns %s rejects the call, and locks nothing', async (_what, name) => {
    const Jobs = classNamed(name as () => string);
    const app = await start({ redlock: { nodes: server.it.url }, providers: [Jobs] });
    const call = app.get(Jobs).work(undefined);
    await expect(call).rejects.toThrow(InvalidOptionError);
    await expect(call).rejects.toThrow(
      '@Exclusive on Jobs.work: the result of the name function must be a non-empty string',
    );
    expect(app.get(Jobs)).toMatchObject({ calls: 0 });
    expect(await keysOfJobs(clientOf(server.it))).toEqual([]);
  });

  it('that throws rejects the call with that very error, and locks nothing', async () => {
    const Jobs = classNamed(() => {
      throw fault;
    });
    const app = await start({ redlock: { nodes: server.it.url }, providers: [Jobs] });
    expect(
      await app
        .get(Jobs)
        .work()
        .catch((error: unknown) => error),
    ).toBe(fault);
    expect(app.get(Jobs)).toMatchObject({ calls: 0 });
    expect(await keysOfJobs(clientOf(server.it))).toEqual([]);
  });
});

describe('one name on two methods', () => {
  @Injectable()
  class One {
    @Exclusive('report') async first(): Promise<void> {}
  }
  @Injectable()
  class Two {
    @Exclusive('report') async second(): Promise<void> {}
  }
  @Injectable()
  class Both {
    @Exclusive('report') async first(): Promise<void> {}
    @Exclusive('report') async second(): Promise<void> {}
  }

  it.each([
    ['of two classes', [One, Two], ['One.first', 'Two.second']],
    ['of one class', [Both], ['Both.first', 'Both.second']],
  ])('%s is refused at the start, and the message names both', async (_what, providers, places) => {
    const app = await build({ providers });
    const error = await app.init().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidOptionError);
    for (const place of [...places, '"report"', 'differently']) expect(String(error)).toContain(place);
  });

  it('that two classes inherit is refused with a remedy that works for an inherited method', async () => {
    @Injectable()
    class Other extends One {}
    const app = await build({ providers: [One, Other] });
    const error = await app.init().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(String(error)).toContain('@Exclusive(function () { return `report:${this.constructor.name}`; })');
    expect(String(error)).not.toContain('differently');
  });

  it('of two classes that have the same name is refused too, where the name is left out', async () => {
    const app = await build({ providers: [classNamed(undefined), classNamed(undefined)] });
    await expect(app.init()).rejects.toThrow('"Jobs.work"');
  });

  it('is none where one class is provided twice', async () => {
    const app = await start({ providers: [One, { provide: 'again', useClass: One }] });
    await expect(app.get(One).first()).resolves.toBeUndefined();
  });
});

describe('wrong options of a job', () => {
  it.each([
    ['ttl', { ttl: '1s' }, 'must be at least 1500 ms'],
    ['every', { every: 'soon' }, 'received "soon"'],
    ['maxRuntime', { maxRuntime: -1 }, 'received -1'],
    ['overlap', { overlap: 'both' }, "must be 'skip', 'buffer-one' or 'allow'; received \"both\""],
    ['recover', { recover: 'yes' }, 'must be true or false; received "yes"'],
    ['recover', { recover: true, overlap: 'allow' }, "cannot be combined with overlap: 'allow'"],
    ['unknown option', { recovery: true }, '"recovery" (known options: ttl, every'],
    ['onStoreDown', { onStoreDown: 'wait' }, "must be 'skip', 'run' or 'throw'; received \"wait\""],
    ['spread', { spread: '1 fortnight' }, 'received "1 fortnight"'],
    ['options', ['report'], 'must be an object, not an array'],
    ['ttl', { ttl: null }, 'received null'],
  ])('are refused at the start: %s', async (option, options, problem) => {
    @Injectable()
    class Jobs {
      @Exclusive('report', options as never) async work(): Promise<void> {}
    }
    const app = await build({ providers: [Jobs] });
    const error = await app.init().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(String(error)).toContain(`@Exclusive on Jobs.work: ${option} `);
    expect(String(error)).toContain(problem);
  });
});
