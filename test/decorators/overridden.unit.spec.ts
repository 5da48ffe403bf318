import { Injectable, type Type } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { describe, expect, it, vi } from 'vitest';
import { Exclusive, InvalidOptionError, MemoryNode, RedlockService } from '../../src/index.js';
import { build, byHand, fire, ONCE_A_YEAR, start } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';

@Injectable()
class Base {
  runs: string[] = [];

  @Cron(ONCE_A_YEAR, byHand('report'))
  @Exclusive('report', { missed: 'once', overdueAfter: '1s' })
  async report(): Promise<void> {
    this.runs.push('base');
  }
}

@Injectable()
class SwitchedOff extends Base {
  override async report(): Promise<void> {
    this.runs.push('override');
  }
}

@Injectable()
class Everywhere extends Base {
  @Cron(ONCE_A_YEAR, byHand('everywhere'))
  override async report(): Promise<void> {
    this.runs.push('override');
  }
}

@Injectable()
class Field extends Base {
  override report = async (): Promise<void> => void this.runs.push('override');
}

@Injectable()
class Further extends SwitchedOff {}

@Injectable()
class Calling extends Base {
  @Cron(ONCE_A_YEAR, byHand('calling'))
  override async report(): Promise<void> {
    this.runs.push('override');
    await super.report();
  }
}

/** Replaces a method by a function without a name. */
const Renamed: MethodDecorator = (_target, _key, descriptor) => {
  const call = descriptor.value as (...args: unknown[]) => unknown;
  descriptor.value = function (this: unknown, ...args: unknown[]) {
    return call.apply(this, args);
  } as typeof descriptor.value;
};

describe.each<[string, Type<Base>]>([
  ['by a method', SwitchedOff],
  ['by a method with a schedule of its own', Everywhere],
  ['by a field', Field],
  ['by a method of a class in between', Further],
])('a job that is overridden without a decorator, %s,', (_how, Class) => {
  it('is none, and is called by nothing but those who call it', async () => {
    const logger = new RecordingLogger();
    const app = await start({ providers: [Class], logger });
    expect(logger.at('log')).toContainEqual(
      expect.stringMatching(/^Not guarding "\w+\.report": overridden without @Exclusive/),
    );
    const redlock = app.get(RedlockService);
    expect(logger.text).toContain('Guarding 0 jobs');
    expect(redlock.jobs()).toEqual([]);
    expect(redlock.preview('report', 1)).toEqual([]);
    expect(await redlock.status('report')).toMatchObject({ nextTick: null, overdueBy: null });
    await expect(redlock.trigger('report')).rejects.toThrow(InvalidOptionError);
    expect(app.get(Class).runs).toEqual([]);
    await app.get(Class).report();
    expect(app.get(Class).runs).toEqual(['override']);
  });

  it('takes no name from the job that it overrides', async () => {
    const redlock = (await start({ providers: [Base, Class] })).get(RedlockService);
    expect(redlock.jobs().map(({ declaredAs }) => declaredAs)).toEqual(['Base.report']);
    expect(await redlock.trigger('report')).toMatchObject({ ran: true });
  });
});

it('an override that calls the job of its base class calls it under its lock, on one instance', async () => {
  const nodes = new MemoryNode();
  const apps = [];
  for (let count = 0; count < 2; count++)
    apps.push(await start({ redlock: { nodes }, providers: [Calling] }));
  for (const app of apps) await fire(app, 'calling');
  expect(apps.map((app) => app.get(Calling).runs)).toEqual([['override', 'base'], ['override']]);
});

it('an override of an object from a factory still reaches the job of its base class', async () => {
  const app = await start({ providers: [{ provide: Calling, useFactory: () => new Calling() }] });
  await app.get(Calling).report();
  expect(app.get(Calling).runs).toEqual(['override', 'base']);
});

describe('no override is', () => {
  it('a method that another decorator, or a tracer, has put in the place of the job', async () => {
    class Traced extends Base {}
    const report = Reflect.get(Base.prototype, 'report') as object;
    Object.assign(Traced.prototype, { report: new Proxy(report, {}) });
    const redlock = (await start({ providers: [Traced] })).get(RedlockService);
    expect(redlock.jobs()).toMatchObject([{ name: 'report', declaredAs: 'Traced.report' }]);
  });

  it('a method that the object has bound to itself', async () => {
    @Injectable()
    class Bound extends Base {
      constructor() {
        super();
        this.report = this.report.bind(this);
      }
    }
    const app = await start({ providers: [Bound] });
    expect(await app.get(RedlockService).trigger('report')).toMatchObject({ ran: true });
    expect(app.get(Bound).runs).toEqual(['base']);
  });

  it('a method of another name that the object has bound to itself', async () => {
    const key = Symbol('report');

    @Injectable()
    class Bound {
      constructor() {
        this.wrapped = this.wrapped.bind(this);
        this[key] = this[key].bind(this);
      }

      @Renamed
      @Exclusive('wrapped')
      async wrapped(): Promise<void> {}

      @Exclusive('symbol')
      async [key](): Promise<void> {}
    }
    const redlock = (await start({ providers: [Bound] })).get(RedlockService);
    expect(redlock.jobs().map(({ name }) => name)).toEqual(['wrapped', 'symbol']);
  });

  it('a method of a prototype with an accessor that binds it', async () => {
    class Bound extends Base {}
    Object.defineProperty(Bound.prototype, 'report', {
      configurable: true,
      enumerable: true,
      get(this: Bound) {
        return Base.prototype.report.bind(this);
      },
    });

    @Injectable()
    class Passing extends Bound {
      constructor() {
        super();
        Object.defineProperty(this, 'report', { value: Reflect.get(this, 'report') });
      }
    }
    const redlock = (await start({ providers: [Passing] })).get(RedlockService);
    expect(redlock.jobs()).toHaveLength(1);
  });

  it('the same method that the object has copied to itself', async () => {
    @Injectable()
    class Copied extends Base {
      constructor() {
        super();
        Object.assign(this, { report: Reflect.get(this, 'report') });
      }
    }
    const redlock = (await start({ providers: [Copied] })).get(RedlockService);
    expect(redlock.jobs()).toHaveLength(1);
  });

  it('a spy that a test has put in its place', async () => {
    const app = await start({ providers: [Base] });
    const spy = vi.spyOn(app.get(Base), 'report');
    expect(await app.get(RedlockService).trigger('report')).toMatchObject({ ran: true });
    expect(spy).toHaveBeenCalledOnce();
  });

  it('one with a decorator of its own, whose name is checked', async () => {
    @Injectable()
    class Again extends SwitchedOff {
      @Exclusive('report')
      override async report(): Promise<void> {}
    }
    const app = await build({ providers: [Base, Again] });
    await expect(app.init()).rejects.toThrow('"report" is already used by Base.report');
  });
});
