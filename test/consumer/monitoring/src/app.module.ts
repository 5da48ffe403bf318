import { Injectable, Module } from '@nestjs/common';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { TerminusModule } from '@nestjs/terminus';
import { Exclusive, RedlockModule } from 'nestjs-exclusive';
import { RedlockTelemetryModule } from 'nestjs-exclusive/opentelemetry';
import { MonitoringController } from './monitoring.controller.js';
import { ObserveModule } from './observe.js';

@Injectable()
export class Jobs {
  @Cron('* * * * * *', { name: 'report' })
  @Exclusive('report')
  report(): void {}

  @Cron('* * * * * *', { name: 'unobserved' })
  @Exclusive('unobserved')
  unobserved(): void {}
}

@Module({
  imports: [
    ScheduleModule.forRoot(),
    RedlockModule.forRoot({ nodes: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379' }),
    RedlockTelemetryModule.forRoot(),
    TerminusModule.forRoot({ logger: false }),
    ObserveModule.forRoot({
      appKey: 'key',
      appSecret: 'secret',
      serviceId: 'jobs',
      endpoint: process.env['COLLECTOR'] ?? '',
      flushInterval: 500,
      jobs: { ignore: ({ name }) => name === 'unobserved' },
    }),
  ],
  controllers: [MonitoringController],
  providers: [Jobs],
})
export class AppModule {}
