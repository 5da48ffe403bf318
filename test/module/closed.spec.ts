import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { expect, it } from 'vitest';
import { Exclusive, RedlockModule } from '../../src/index.js';

@Injectable()
class Jobs {
  @Exclusive('slow') async slow(): Promise<void> {
    await pause(20);
  }
}

@Module({ imports: [RedlockModule.forRoot({ nodes: 'memory' })], providers: [Jobs] })
class AppModule {}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
}

/** An application that has been closed in the middle of a run, or after it. */
async function closed(isDuringRun: boolean): Promise<WeakRef<object>> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
  const run = app.get(Jobs).slow();
  if (!isDuringRun) await run;
  await app.close();
  await run;
  return new WeakRef(app);
}

it.each([
  ['in the middle of a run', true],
  ['after a run', false],
])('an application that is closed %s is forgotten', async (_when, isDuringRun) => {
  const apps: WeakRef<object>[] = [];
  while (apps.length < 10) apps.push(await closed(isDuringRun));
  await expect
    .poll(() => {
      collectGarbage();
      return apps.filter((app) => app.deref()).length;
    })
    .toBeLessThanOrEqual(1);
});
