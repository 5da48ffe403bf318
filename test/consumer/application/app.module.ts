import { Injectable, Module, type OnModuleDestroy, Optional } from '@nestjs/common';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { Redis } from 'ioredis';
import { type CurrentRun, Exclusive, RedlockModule, RedlockService } from 'nestjs-exclusive';

const url = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';

/** Writes each run into a list in Redis. */
@Injectable()
export class Ledger implements OnModuleDestroy {
  private readonly redis = new Redis(url);

  async note({ name, fencingToken }: CurrentRun): Promise<void> {
    await this.redis.rpush(`runs of ${name}`, String(fencingToken));
  }

  onModuleDestroy(): void {
    this.redis.disconnect();
  }
}

@Injectable()
export class Jobs {
  constructor(
    private readonly ledger: Ledger,
    // Without the module, Nest would complain of this one first.
    @Optional() private readonly redlock?: RedlockService,
  ) {}

  @Cron('* * * * * *')
  @Exclusive('below')
  async below(): Promise<number | null> {
    return this.note();
  }

  @Exclusive('above')
  @Cron('* * * * * *')
  async above(): Promise<number | null> {
    return this.note();
  }

  private async note(): Promise<number | null> {
    const run = this.redlock?.current();
    if (!run) throw new Error('There is no run');
    await this.ledger.note(run);
    return run.fencingToken;
  }
}

@Module({
  imports: [
    ScheduleModule.forRoot(),
    ...(process.env['WITHOUT_MODULE'] ? [] : [RedlockModule.forRoot({ nodes: url })]),
  ],
  providers: [Jobs, Ledger],
})
export class AppModule {}
