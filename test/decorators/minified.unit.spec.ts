import { Injectable, mixin, type Type } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { describe, expect, it } from 'vitest';
import { Exclusive, InvalidOptionError, RedlockService } from '../../src/index.js';
import { build, ONCE_A_YEAR, start } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';

/** A class as a bundler leaves it behind. */
function classNamed(name: string, job?: string): Type {
  @Injectable()
  class Jobs {
    @Cron(ONCE_A_YEAR)
    @Exclusive(job)
    async run(): Promise<void> {}
  }
  Object.defineProperty(Jobs, 'name', { value: name });
  return Jobs;
}

function mixed(job?: string): Type {
  return mixin(classNamed('Cleanup', job));
}

async function warnings(Jobs: Type): Promise<string[]> {
  const logger = new RecordingLogger();
  await start({ providers: [Jobs], logger });
  return logger.at('warn').filter((line) => line.includes('minified'));
}

describe('a default name', () => {
  it.each(['n', 'e', 'Rt', 'a1', '_', '$', 'nRe', 'x_2'])(
    'that looks minified is told at start: %j',
    async (name) => {
      expect(await warnings(classNamed(name))).toEqual([
        expect.stringContaining(`The default job name ${JSON.stringify(`${name}.run`)} looks minified`),
      ]);
    },
  );

  it.each(['Job', 'Api', 'SMS', 'Jobs', 'ReportService'])(
    'that is a word is nothing to warn of: %s',
    async (name) => {
      expect(await warnings(classNamed(name))).toEqual([]);
    },
  );

  it('that two classes of a bundle share is refused, and the message says why that may be', async () => {
    const app = await build({ providers: [classNamed('n'), classNamed('n')] });
    const error = await app.init().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(String(error)).toContain('keep class names if the bundle is minified');
  });
});

describe('a class without a name, as a class decorator may return it,', () => {
  it('is told at start, and not as one that looks minified', async () => {
    const logger = new RecordingLogger();
    await start({ providers: [classNamed('')], logger });
    expect(logger.at('warn').filter((line) => line.includes('".run"'))).toEqual([
      expect.stringMatching(
        /^The class of "\.run" has no name, .*: name the job, as in @Exclusive\('report'\)/,
      ),
    ]);
  });

  it('is refused with the remedy where there are two', async () => {
    const app = await build({ providers: [classNamed(''), classNamed('')] });
    const error = await app.init().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(String(error)).toContain(
      "their classes have no name, so name the jobs, as in @Exclusive('report'), or the classes",
    );
    expect(String(error)).not.toContain('minified');
  });
});

describe('a class that mixin() has named, differently in each process,', () => {
  it('is refused with a default name, and the message says what to do', async () => {
    const app = await build({ providers: [mixed()] });
    const error = await app.init().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(String(error)).toMatch(
      /@Exclusive on [0-9a-f]{21}\.run: name is needed: mixin\(\) .* run\(\): name the job, as in @Exclusive\('report'\)/,
    );
  });

  it('is taken with a name of the job, or of a class that extends it', async () => {
    @Injectable()
    class Named extends mixed() {}
    const app = await start({ providers: [mixed('cleanup'), Named] });
    const jobs = app.get(RedlockService).jobs();
    expect(jobs.map(({ name }) => name)).toEqual(['cleanup', 'Named.run']);
  });
});

it('a name that is given is never told', async () => {
  expect(await warnings(classNamed('n', 'report'))).toEqual([]);
});
