import { Injectable, Module, type Type } from '@nestjs/common';
import { Cron, Interval, ScheduleModule } from '@nestjs/schedule';
import { Exclusive, RedlockModule, type RedlockModuleOptions } from '../../src/index.js';
import { RedlockTelemetryModule, type RedlockTelemetryOptions } from '../../src/opentelemetry/index.js';
import { TestFleet } from '../../src/testing/index.js';
import { closeAfterTest } from '../close-after-test.js';
import { RecordingLogger } from '../module/recording-logger.js';

/** What the instances of a test log. */
export let log = new RecordingLogger();

/** What the job of a test does. */
export const work: { job: () => unknown } = { job: () => undefined };

/** Lets the job of a test last until the returned function is called. */
export function lasting(): () => void {
  let end: (() => void) | undefined;
  work.job = () => new Promise<void>((resolve) => (end = resolve));
  return () => end?.();
}

@Injectable()
export class Jobs {
  /** Makes a second attempt in the same firing. */
  @Cron('30 */10 * * * *', { timeZone: 'UTC', name: 'twice' })
  async twice(): Promise<void> {
    await this.retried();
    await this.retried();
  }

  @Exclusive('retried')
  retried(): unknown {
    return work.job();
  }

  @Cron('0 */10 * * * *', { timeZone: 'UTC' })
  @Exclusive('report')
  report(): unknown {
    return work.job();
  }

  @Interval(60_000)
  @Exclusive('poll')
  poll(): unknown {
    return work.job();
  }

  @Exclusive((tenant: string) => `import:${tenant}`)
  import(_tenant: string): unknown {
    return work.job();
  }
}

/** The time at which a fleet starts. */
export const NOON = Date.UTC(2031, 4, 7, 12);

/** Starts instances with telemetry, on a clock moved by hand. */
export async function startFleet(
  instances: number,
  telemetry?: RedlockTelemetryOptions,
  redlock: RedlockModuleOptions = {},
): Promise<TestFleet> {
  work.job = () => undefined;
  log = new RecordingLogger();
  @Module({
    imports: [
      ScheduleModule.forRoot(),
      RedlockModule.forRoot(redlock),
      RedlockTelemetryModule.forRoot(telemetry),
    ],
    providers: [Jobs],
  })
  class AppModule {}
  const fleet = await TestFleet.create(AppModule as Type, {
    instances,
    now: new Date(NOON),
    override: (app) => app.setLogger(log),
  });
  closeAfterTest(fleet);
  return fleet;
}
