import { Injectable } from '@nestjs/common';
import { Cron, Interval, Timeout } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from 'vitest';
import { Exclusive, InvalidOptionError, RedlockModule } from '../../src/index.js';
import { build, start } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';

@Injectable()
class Jobs {
  @Cron('0 0 1 1 *') @Exclusive('yearly') async yearly(): Promise<void> {}
  @Timeout(100_000) @Exclusive('once') async once(): Promise<void> {}
  @Exclusive('by hand') async byHand(): Promise<void> {}
}

describe('an application with scheduled methods', () => {
  it('is warned at the start if nothing calls them on schedule, and can still call them', async () => {
    const logger = new RecordingLogger();
    const app = await Test.createTestingModule({ imports: [RedlockModule.forRoot()], providers: [Jobs] })
      .setLogger(logger)
      .compile();
    await app.init();
    await expect(app.get(Jobs).yearly()).resolves.toBeUndefined();
    await app.close();
    const about = logger.at('warn').filter((line) => line.includes('ScheduleModule'));
    expect(about).toHaveLength(1);
    expect(about[0]).toContain(
      'ScheduleModule is missing, so nothing calls "Jobs.yearly", "Jobs.once" on schedule: add ScheduleModule.forRoot() ' +
        'to the imports of AppModule, unless something else calls them',
    );
  });

  it('is not warned if it has a scheduler', async () => {
    const logger = new RecordingLogger();
    await start({ providers: [Jobs], logger });
    expect(logger.at('warn').join()).not.toContain('ScheduleModule');
  });
});

describe('recover', () => {
  @Injectable()
  class OfInterval {
    @Interval(100_000) @Exclusive('a', { recover: true }) async poll(): Promise<void> {}
  }
  @Injectable()
  class OfTimeout {
    @Exclusive('a', { recover: true }) @Timeout(100_000) async once(): Promise<void> {}
  }
  @Injectable()
  class OfCron {
    @Cron('0 0 1 1 *') @Exclusive('a', { recover: true }) async yearly(): Promise<void> {}
    // A cron job that is added later may call it.
    @Exclusive('b', { recover: true }) async plain(): Promise<void> {}
  }

  it.each([
    ['an @Interval', OfInterval, 'OfInterval.poll'],
    ['a @Timeout', OfTimeout, 'OfTimeout.once'],
  ])('is refused on %s method, which has no ticks', async (_what, provider, place) => {
    const app = await build({ providers: [provider] });
    const error: unknown = await app.init().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(String(error)).toContain(`@Exclusive on ${place}: recover has no effect on an @`);
  });

  it('is accepted where a cron job calls the method, or may call it', async () => {
    await expect(start({ providers: [OfCron] })).resolves.toBeDefined();
  });
});
