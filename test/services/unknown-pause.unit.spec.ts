import { Injectable } from '@nestjs/common';
import { expect, it, vi } from 'vitest';
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
    'Paused "reprot", which no instance declares with @Exclusive (declared: "report", "cleanup") RedlockModule',
  ]);
  expect(await pauseBeside([], 'report')).toEqual([
    'Paused "report", which no instance declares with @Exclusive (declared: none) RedlockModule',
  ]);
});

it('a pause of a name that a function can return is silent', async () => {
  expect(await pauseBeside([Reports, Imports], 'import:acme')).toEqual([]);
});

it('a pause when the application starts is silent, if it declares the job itself', async () => {
  @Injectable()
  class Migration {
    constructor(private readonly redlock: RedlockService) {}

    async onApplicationBootstrap(): Promise<void> {
      await this.redlock.pause('report');
    }
  }
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  await start({
    redlock: { nodes: new MemoryNode(clock.now) },
    providers: [Reports, Migration],
    clock,
    logger,
  });
  await clock.idle();
  expect(logger.text).not.toContain('Paused');
});

it('a pause of all jobs lists the instances for none of them', async () => {
  const clock = new ManualClock();
  const node = new MemoryNode(clock.now);
  const app = await start({ redlock: { nodes: node }, providers: [Reports], clock });
  await clock.idle();
  const lists = vi.spyOn(node, 'registered');
  await app.get(RedlockService).pauseAll();
  expect(lists).not.toHaveBeenCalled();
});
