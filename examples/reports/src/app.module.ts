import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { ScheduleModule } from '@nestjs/schedule';
import { type Duration, RedlockModule } from 'nestjs-exclusive';
import { HealthController } from './health.controller.js';
import { OrdersController } from './orders.controller.js';
import { ReportJobs } from './report.jobs.js';
import { ReportsController } from './reports.controller.js';
import { Store } from './store.js';

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true }),
    ScheduleModule.forRoot(),
    RedlockModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({
        nodes: config.getOrThrow<string>('REDIS_URL'),
        shutdownTimeout: config.get<Duration>('SHUTDOWN_TIMEOUT', '10s'),
      }),
    }),
  ],
  controllers: [OrdersController, ReportsController, HealthController],
  providers: [ReportJobs, Store],
})
export class AppModule {}
