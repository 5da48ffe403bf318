import { setTimeout } from 'node:timers/promises';
import { Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { Exclusive, RedlockModule } from 'nestjs-exclusive';
import { url } from './ledger.js';

@Injectable()
class Jobs implements OnModuleDestroy {
  @Cron('* * * * * *')
  @Exclusive('long')
  async long(): Promise<void> {
    console.log('begun');
    await setTimeout(6000);
    console.log('finished');
  }

  onModuleDestroy(): void {
    console.log('destroyed');
  }
}

@Module({
  imports: [ScheduleModule.forRoot(), RedlockModule.forRoot({ nodes: url })],
  providers: [Jobs],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
app.enableShutdownHooks();
