import { Cron, Interval } from '@nestjs/schedule';
import { expect, it } from 'vitest';
import { Exclusive } from '../../src/index.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { start } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';

class Exporter {
  constructor(readonly region: string) {}

  @Cron('*/10 * * * *', { timeZone: 'UTC' })
  @Exclusive(function (this: Exporter) {
    return `export:${this.region}`;
  })
  export(): void {}
}

class Sweeper {
  @Interval('sweep', 60_000)
  @Exclusive('export:south')
  sweep(): void {}
}

class Report {
  @Exclusive(() => 'export:north')
  report(): void {}
}

const provide = (...providers: object[]) =>
  providers.map((instance, index) => ({ provide: String(index), useFactory: () => instance }));

const north = new Exporter('north');

it.each([
  ['two objects of a class', provide(north, new Exporter('north')), 'export:north'],
  ['methods of two classes', provide(new Exporter('south'), new Sweeper()), 'export:south'],
])('a warning names the computed name of %s', async (_of, providers, name) => {
  const warnings = await warningsOf(providers);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/^The name function of Exporter\.export\(…\) returns /);
  expect(warnings[0]).toContain(`"${name}"`);
});

it.each([
  ['two objects have different names', provide(north, new Exporter('south'))],
  ['one object has two tokens', provide(north, north)],
  ['only one of two methods is scheduled', provide(north, new Report())],
])('there is no warning if %s', async (_if, providers) => {
  expect(await warningsOf(providers)).toEqual([]);
});

async function warningsOf(providers: ReturnType<typeof provide>): Promise<string[]> {
  const logger = new RecordingLogger();
  const clock = new ManualClock(Date.UTC(2031, 4, 7, 10));
  await start({ clock, logger, providers });
  await clock.idle();
  return logger.at('warn').map((line) => line.replace(/ RedlockModule$/, ''));
}
