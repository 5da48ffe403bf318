import { Injectable, Module, Optional } from '@nestjs/common';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { Exclusive, RedlockModule, RedlockService } from 'nestjs-exclusive';
import { Ledger, url } from './ledger.js';

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
