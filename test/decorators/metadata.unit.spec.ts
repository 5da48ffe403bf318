import { Controller, Get, Injectable, RequestMethod, SetMetadata } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { Cron, SchedulerRegistry } from '@nestjs/schedule';
import { describe, expect, it } from 'vitest';
import { Exclusive, InvalidOptionError } from '../../src/index.js';
import { start } from '../module/application.js';

@Controller('reports')
@Injectable()
class Reports {
  @SetMetadata('before', 1)
  @Get('latest')
  @Exclusive('latest')
  @SetMetadata('after', 2)
  async latest(format: string, page: number): Promise<string> {
    return `${format} ${page}`;
  }

  @Exclusive('nightly')
  @SetMetadata('after', 2)
  @Cron('0 0 1 1 *', { name: 'nightly' })
  async nightly(): Promise<void> {}
}

describe('a decorated method', () => {
  const latest: object = Reflect.get(Reports.prototype, 'latest');
  const nightly: object = Reflect.get(Reports.prototype, 'nightly');

  it('keeps its name and its number of parameters', () => {
    expect(latest).toHaveProperty('name', 'latest');
    expect(latest).toHaveLength(2);
    expect(nightly).toHaveProperty('name', 'nightly');
    expect(nightly).toHaveLength(0);
  });

  it('keeps the metadata of the decorators above and below', () => {
    expect(Reflect.getMetadata('before', latest)).toBe(1);
    expect(Reflect.getMetadata('after', latest)).toBe(2);
    expect(Reflect.getMetadata(PATH_METADATA, latest)).toBe('latest');
    expect(Reflect.getMetadata(METHOD_METADATA, latest)).toBe(RequestMethod.GET);
    expect(Reflect.getMetadata('after', nightly)).toBe(2);
    expect(Reflect.getMetadata('design:returntype', Reports.prototype, 'latest')).toBe(Promise);
  });

  it('is found by the scheduler', async () => {
    const app = await start({ providers: [Reports] });
    expect([...app.get(SchedulerRegistry).getCronJobs().keys()]).toEqual(['nightly']);
  });

  it('may be the method of a controller', async () => {
    const app = await start({ controllers: [Reports] });
    const reports = app.get(Reports);
    expect(await Promise.all([reports.latest('pdf', 3), reports.latest('csv', 4)])).toEqual([
      'pdf 3',
      undefined,
    ]);
  });
});

/** Decorates what the compiler would refuse. */
function apply(target: object, key?: string): void {
  const descriptor = key === undefined ? undefined : Object.getOwnPropertyDescriptor(target, key);
  (Exclusive('name') as (...args: unknown[]) => void)(target, key, descriptor);
}

it('@Exclusive without parentheses is refused', () => {
  class Uncalled {
    report(): void {}
  }
  const descriptor = Object.getOwnPropertyDescriptor(Uncalled.prototype, 'report');
  const decorate = Exclusive as unknown as (...args: unknown[]) => void;
  expect(() => decorate(Uncalled.prototype, 'report', descriptor)).toThrow(
    "Uncalled.report: @Exclusive must be written with parentheses: @Exclusive() or @Exclusive('report')",
  );
});

it('@Exclusive on a method that it already decorates is refused', () => {
  class Twice {
    report(): void {}
  }
  const decorate = (name: string): void => {
    const descriptor = Object.getOwnPropertyDescriptor(Twice.prototype, 'report')!;
    Exclusive(name)(Twice.prototype, 'report', descriptor);
  };
  decorate('report');
  expect(() => decorate('other')).toThrow('Twice.report: @Exclusive must decorate a method only once');
  // A method that overrides one is another method.
  class Overriding extends Twice {
    @Exclusive('report') override report(): void {}
  }
  expect(new Overriding()).toBeInstanceOf(Twice);
});

describe('@Exclusive on something that is no method of an instance', () => {
  class Wrong {
    static fixed(): void {}
    get value(): number {
      return 1;
    }
  }

  it.each<[string, () => void, string]>([
    ['a getter', () => apply(Wrong.prototype, 'value'), 'Wrong.value'],
    ['a property', () => apply(Wrong.prototype, 'field'), 'Wrong.field'],
    ['a static method', () => apply(Wrong, 'fixed'), 'Wrong.fixed'],
    ['a class', () => apply(Wrong), 'Wrong'],
  ])('is refused: %s', (_what, decorate, place) => {
    expect(decorate).toThrow(InvalidOptionError);
    expect(decorate).toThrow(
      `${place}: @Exclusive must decorate an instance method, not a static one or a property`,
    );
  });
});

it.each<[string, unknown]>([
  ['with a name', InvalidOptionError],
  ['without a name', class extends InvalidOptionError {}],
])('@Exclusive with a class %s for the name of the job is refused', (_what, name) => {
  class Jobs {
    report(): void {}
  }
  const { report } = Object.getOwnPropertyDescriptors(Jobs.prototype);
  const decorate = (): void => Exclusive(name as never)(Jobs.prototype, 'report', report);
  expect(decorate).toThrow(InvalidOptionError);
  expect(decorate).toThrow('@Exclusive on Jobs.report: name must be a function, not a class');
});
