import { Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { Cron, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { CronJob } from 'cron';
import { Exclusive, RedlockModule } from 'nestjs-exclusive';
import { ClsModule } from 'nestjs-cls';
import { LogErrors, Retry } from './hand-written.js';
import { Ledger, url } from './ledger.js';
import { JOBS } from './orders.js';
import { Work } from './work.js';

/** Builds a cron job from configuration. */
@Injectable()
export class Configured implements OnModuleInit {
  constructor(
    private readonly registry: SchedulerRegistry,
    private readonly work: Work,
  ) {}

  onModuleInit(): void {
    const job = new CronJob(process.env['CONFIGURED'] ?? '* * * * * *', () => this.report());
    this.registry.addCronJob('configured', job);
    job.start();
  }

  @Exclusive('configured')
  async report(): Promise<void> {
    await this.work.done();
  }
}

/** Is returned by a factory, so Nest injects nothing into it. */
export class Manufactured {
  constructor(private readonly work: Work) {}

  @Cron('* * * * * *')
  @Exclusive('manufactured')
  async report(): Promise<void> {
    await this.work.done();
  }
}

@Injectable()
export class Others {
  constructor(
    private readonly ledger: Ledger,
    private readonly work: Work,
  ) {}

  @Cron('* * * * * *')
  @Exclusive('failing')
  async failing(): Promise<void> {
    await this.work.done();
    throw new Error('On purpose');
  }

  @LogErrors()
  @Cron('* * * * * *')
  async logErrorsWithoutExclusive(): Promise<void> {
    await this.ledger.add('runs of LogErrors > Cron', 'one');
  }

  @Retry()
  @Cron('* * * * * *')
  async retryWithoutExclusive(): Promise<void> {
    await this.ledger.add('runs of Retry > Cron', 'one');
  }
}

@Module({
  imports: [ScheduleModule.forRoot(), ClsModule.forRoot(), RedlockModule.forRoot({ nodes: url })],
  providers: [
    ...JOBS,
    Configured,
    Others,
    { provide: Manufactured, inject: [Work], useFactory: (work: Work) => new Manufactured(work) },
    Work,
    Ledger,
  ],
})
export class AppModule {}
