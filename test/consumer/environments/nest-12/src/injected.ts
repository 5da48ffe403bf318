import 'reflect-metadata';
import { setTimeout } from 'node:timers/promises';
import { Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { Exclusive, RedlockModule, RedlockService } from 'nestjs-exclusive';
import { Ledger, url } from './ledger.js';

/** For compilers that emit no type metadata: each dependency has an `@Inject`. */
@Injectable()
class Jobs {
  constructor(
    @Inject(Ledger) private readonly ledger: Ledger,
    @Inject(RedlockService) private readonly redlock: RedlockService,
  ) {}

  @Cron('* * * * * *')
  @Exclusive('below')
  async below(): Promise<void> {
    await this.note();
  }

  @Exclusive('above')
  @Cron('* * * * * *')
  async above(): Promise<void> {
    await this.note();
  }

  private async note(): Promise<void> {
    const run = this.redlock.current();
    if (!run) throw new Error('There is no run');
    await this.ledger.note(run);
  }
}

@Module({
  imports: [ScheduleModule.forRoot(), RedlockModule.forRoot({ nodes: url })],
  providers: [Jobs, Ledger],
})
class AppModule {}

/** Runs for `LIFE` milliseconds. */
async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  await setTimeout(Number(process.env['LIFE']));
  await app.close();
}

void main();
