import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ScheduleModule } from '@nestjs/schedule';
import { expect, it } from 'vitest';
import { Exclusive, RedlockModule, RedlockService } from '../../src/index.js';
import { closeAfterTest } from '../close-after-test.js';

@Injectable()
class Jobs {
  constructor(private readonly redlock: RedlockService) {}

  @Exclusive('report')
  async report(): Promise<string | undefined> {
    return this.redlock.current()?.name;
  }
}

@Module({
  imports: [ScheduleModule.forRoot(), RedlockModule.forRoot({ nodes: 'memory' })],
  providers: [Jobs],
})
class AppModule {}

/** Puts every provider into a proxy whose methods are called on the provider itself, as `@nestjs/observe` does. */
const instanceDecorator = (instance: unknown): unknown =>
  typeof instance !== 'object' || instance === null
    ? instance
    : new Proxy(instance, {
        get: (target, key) => {
          const value: unknown = Reflect.get(target, key);
          return typeof value === 'function' && key !== 'constructor'
            ? (value.bind(target) as unknown)
            : value;
        },
      });

it('a method runs under its lock in an application whose providers are put into proxies', async () => {
  const options = { logger: false as const, instrument: { instanceDecorator } };
  const app = await NestFactory.createApplicationContext(AppModule, options);
  closeAfterTest(app);
  expect(await app.get(Jobs).report()).toBe('report');
});
