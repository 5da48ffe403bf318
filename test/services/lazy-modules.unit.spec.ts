import { Injectable, Module } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { Cron } from '@nestjs/schedule';
import { expect, it } from 'vitest';
import { Exclusive, InvalidOptionError, RedlockService } from '../../src/index.js';
import { byHand, ONCE_A_YEAR, start } from '../module/application.js';

@Injectable()
class Jobs {
  @Exclusive('eager') async eager(): Promise<void> {}
}

@Injectable()
class Lazy {
  @Exclusive('wrong', { ttl: 1 }) async wrong(): Promise<void> {}

  @Cron(ONCE_A_YEAR, byHand('spread'))
  @Exclusive('spread', { spread: '1000d' })
  async spread(): Promise<void> {}

  @Exclusive('lazy') async lazy(): Promise<string> {
    return 'worked';
  }
}

@Module({ providers: [Lazy] })
class LazyModule {}

it('a job of a lazy module with invalid options is refused when it is called, and spoils no other', async () => {
  const app = await start({ providers: [Jobs] });
  const redlock = app.get(RedlockService);
  await app.get(LazyModuleLoader).load(() => LazyModule);
  expect(redlock.jobs().map(({ name }) => name)).toEqual(['eager', 'lazy']);
  expect(await redlock.status('eager')).toMatchObject({ name: 'eager' });
  expect(await redlock.trigger('lazy')).toEqual({ ran: true, value: 'worked' });
  await expect(redlock.trigger('wrong')).rejects.toThrow(InvalidOptionError);
  await expect(redlock.trigger('wrong')).rejects.toThrow('@Exclusive on Lazy.wrong: ttl must be at least');
});
