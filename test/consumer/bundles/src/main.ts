import 'reflect-metadata';
import { setTimeout } from 'node:timers/promises';
import { Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { Exclusive, RedlockModule, RedlockService } from 'nestjs-exclusive';
import { Ledger, url } from './ledger.js';

/** esbuild emits no type metadata, so each dependency has an `@Inject`. */
@Injectable()
class ReportService {
  constructor(
    @Inject(Ledger) private readonly ledger: Ledger,
    @Inject(RedlockService) private readonly redlock: RedlockService,
  ) {}

  @Cron('* * * * * *')
  @Exclusive('report')
  async send(): Promise<void> {
    await this.note();
  }

  @Exclusive('cleanup')
  @Cron('* * * * * *')
  async cleanUp(): Promise<void> {
    await this.note();
  }

  @Cron('* * * * * *')
  @Exclusive()
  async unnamed(): Promise<void> {
    await this.note();
  }

  private async note(): Promise<void> {
    const run = this.redlock.current();
    if (!run) throw new Error('There is no run');
    await this.ledger.note(run);
  }
}

@Module({
  imports: [
    ScheduleModule.forRoot(),
    RedlockModule.forRoot({ nodes: process.env['NODES']?.split(',') ?? url }),
  ],
  providers: [ReportService, Ledger],
})
class AppModule {}

/** Runs for `LIFE` milliseconds. */
async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  await setTimeout(Number(process.env['LIFE']));
  await app.close();
}

void main();
