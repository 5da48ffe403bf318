// What the compiler takes and refuses as `@Exclusive`: a line that it should refuse and does not fails `npm run compile`.
import { applyDecorators } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { Exclusive } from '../../src/index.js';

export class Methods {
  @Exclusive()
  nothing(): void {}

  @Exclusive('report')
  async report(): Promise<number> {
    return 1;
  }

  @Exclusive({ ttl: '1m' })
  onlyOptions(): void {}

  @Exclusive('import', { every: '1h', overlap: 'skip', maxRuntime: 60_000, recover: true, spread: '30s' })
  import(): void {}

  @Exclusive({ overlap: 'buffer-one', recover: true })
  buffered(): void {}

  @Exclusive((tenant: string) => `report:${tenant}`, { onStoreDown: 'throw' })
  ofTenant(_tenant: string, _since: Date): void {}

  @Exclusive('private')
  protected hidden(): void {}
}

/** A decorator of the application's own, made of others. */
export function Nightly(name: string): MethodDecorator {
  return applyDecorators(Cron('0 0 2 * * *', { name }), Exclusive(name));
}

// @ts-expect-error a class
@Exclusive('class')
export class OnAClass {}

export class NoMethods {
  // @ts-expect-error a property
  @Exclusive('property')
  property = 1;

  // @ts-expect-error a function in a property, which no prototype has
  @Exclusive('arrow')
  arrow = (): void => {};

  // @ts-expect-error a getter
  @Exclusive('getter')
  get getter(): number {
    return 1;
  }

  // @ts-expect-error an accessor
  @Exclusive('accessor')
  set accessor(_value: string) {}

  method(
    // @ts-expect-error a parameter
    @Exclusive('parameter')
    _parameter: string,
  ): void {}
}

export class NamesOfMethods {
  @Exclusive((tenant: string | number) => `report:${tenant}`)
  takesMore(_tenant: string): void {}

  // @ts-expect-error the method has another argument
  @Exclusive((tenant: number) => `report:${tenant}`)
  takesOther(_tenant: string): void {}

  // @ts-expect-error the method has no argument
  @Exclusive((tenant: string) => `report:${tenant}`)
  takesNone(): void {}
}

export class WrongNames {
  // @ts-expect-error a number
  @Exclusive(7)
  number(): void {}

  // @ts-expect-error null
  @Exclusive(null)
  null(): void {}

  // @ts-expect-error a function that returns a number
  @Exclusive((id: number) => id)
  returnsNumber(_id: number): void {}

  // @ts-expect-error a function that returns nothing
  @Exclusive(() => {})
  returnsNothing(): void {}

  // @ts-expect-error a function that returns a promise
  @Exclusive(async (id: string) => id)
  returnsPromise(_id: string): void {}

  // @ts-expect-error a list
  @Exclusive(['report', 'daily'])
  list(): void {}
}

export class WrongOptions {
  // @ts-expect-error no such option
  @Exclusive('job', { timeout: '1s' })
  unknown(): void {}

  // @ts-expect-error an option of the module
  @Exclusive('job', { nodes: 'memory' })
  ofTheModule(): void {}

  // @ts-expect-error options in front of the name
  @Exclusive({ ttl: '1s' }, 'job')
  order(): void {}

  // @ts-expect-error no duration
  @Exclusive('job', { ttl: true })
  ttl(): void {}

  // @ts-expect-error no duration
  @Exclusive('job', { every: new Date() })
  every(): void {}

  // @ts-expect-error no duration
  @Exclusive({ maxRuntime: null })
  maxRuntime(): void {}

  // @ts-expect-error none of 'skip', 'buffer-one' and 'allow'
  @Exclusive('job', { overlap: 'wait' })
  overlap(): void {}

  // @ts-expect-error no boolean
  @Exclusive('job', { recover: 'yes' })
  recover(): void {}

  // @ts-expect-error none of 'skip', 'run' and 'throw'
  @Exclusive('job', { onStoreDown: 'ignore' })
  onStoreDown(): void {}

  // @ts-expect-error no duration
  @Exclusive('job', { spread: true })
  spread(): void {}
}
