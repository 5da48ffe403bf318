import { Injectable } from '@nestjs/common';
import { expect, it } from 'vitest';
import { Exclusive, MemoryNode, RedlockService } from '../../src/index.js';
import { start } from '../module/application.js';
import { RecordingLogger } from '../module/recording-logger.js';
import { ManualClock } from '../../src/testing/manual-clock.js';

@Injectable()
class Reports {
  @Exclusive('report')
  report(): void {}

  @Exclusive('cleanup')
  cleanup(): void {}
}

@Injectable()
class Imports {
  @Exclusive((tenant: string) => `import:${tenant}`)
  import(_tenant: string): void {}
}

/** An application without jobs, beside one with these, pauses a job. @returns What it says of that. */
async function pauseBeside(providers: (typeof Reports | typeof Imports)[], name: string): Promise<string[]> {
  const clock = new ManualClock();
  const redlock = { nodes: new MemoryNode(clock.now) };
  const logger = new RecordingLogger();
  await start({ redlock, providers, clock });
  const office = await start({ redlock, clock, logger });
  await clock.idle();
  await office.get(RedlockService).pause(name);
  return logger.at('warn').filter((line) => line.includes('Paused'));
}

it('a pause of a job that another instance declares is silent', async () => {
  expect(await pauseBeside([Reports], 'report')).toEqual([]);
});

it('a pause of a job that nobody declares is a warning that lists what is declared', async () => {
  expect(await pauseBeside([Reports], 'reprot')).toEqual([
    'Paused "reprot", but no instance declares a job of that name (declared: "report", "cleanup") RedlockModule',
  ]);
  expect(await pauseBeside([], 'report')).toEqual([
    'Paused "report", but no instance declares a job of that name (declared: none) RedlockModule',
  ]);
});

it('a pause of a name that a function can return is silent', async () => {
  expect(await pauseBeside([Reports, Imports], 'import:acme')).toEqual([]);
});
