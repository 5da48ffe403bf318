import { Injectable, Module } from '@nestjs/common';
import { Cron, Interval, ScheduleModule, Timeout } from '@nestjs/schedule';
import { Exclusive, RedlockModule, RedlockService } from '../../src/index.js';
import { TestFleet, type TestFleetOptions } from '../../src/testing/index.js';
import { closeAfterTest } from '../close-after-test.js';

/** What the jobs of all instances do. */
@Injectable()
export class Ledger {
  readonly entries: { job: string; tick: Date | null; args: unknown[]; jobs: object }[] = [];
  /** What a run of `slow` waits for. */
  gate: Promise<unknown> = Promise.resolve();
}

export const FAULT = new Error('The printer is on fire');

@Injectable()
export class Jobs {
  constructor(
    private readonly ledger: Ledger,
    private readonly redlock: RedlockService,
  ) {}

  @Cron('0 */10 * * * *', { name: 'ten minutes' })
  @Exclusive('report')
  async report(...args: unknown[]): Promise<string> {
    this.note('report', args);
    return 'done';
  }

  @Cron('0 */10 * * * *')
  @Exclusive('slow')
  async slow(): Promise<void> {
    this.note('slow');
    await this.ledger.gate;
  }

  @Cron('* * * * * *')
  @Exclusive()
  async everySecond(): Promise<void> {
    this.note('everySecond');
  }

  @Interval(60_000)
  @Exclusive('minute')
  async minute(...args: unknown[]): Promise<void> {
    this.note('minute', args);
  }

  @Interval(20)
  @Exclusive('often')
  async often(): Promise<void> {
    this.note('often');
  }

  @Timeout(10)
  @Exclusive('once')
  async once(...args: unknown[]): Promise<void> {
    this.note('once', args);
  }

  @Cron('0 0 * * * *')
  @Exclusive('fault')
  async fault(): Promise<void> {
    throw FAULT;
  }

  @Cron('0 0 * * * *')
  @Exclusive('caller')
  async caller(): Promise<string> {
    await Promise.all([this.callee(), this.callee()]);
    return 'called';
  }

  @Cron('0 0 * * * *')
  @Exclusive(() => '')
  async nameless(): Promise<void> {}

  @Exclusive('callee')
  async callee(): Promise<void> {
    this.note('callee');
  }

  private note(job: string, args: unknown[] = []): void {
    this.ledger.entries.push({ job, tick: this.redlock.current()?.tick ?? null, args, jobs: this });
  }
}

@Module({
  // Nothing listens there: a fleet must bring its own nodes.
  imports: [ScheduleModule.forRoot(), RedlockModule.forRoot({ nodes: 'redis://127.0.0.1:1' })],
  providers: [Jobs, Ledger],
})
export class AppModule {}

/** A fleet at half past nine, whose instances share a ledger; closed after the test. */
export async function startFleet(
  options: TestFleetOptions = {},
  module: Parameters<typeof TestFleet.create>[0] = AppModule,
): Promise<{ fleet: TestFleet; ledger: Ledger }> {
  const ledger = new Ledger();
  const fleet = await TestFleet.create(module, {
    now: at('09:30:05'),
    override: (app) => app.overrideProvider(Ledger).useValue(ledger),
    ...options,
  });
  closeAfterTest(fleet);
  return { fleet, ledger };
}

/** A time of the day on which the fleets of these tests live. */
export function at(time: string): Date {
  return new Date(`2031-05-07T${time}Z`);
}
