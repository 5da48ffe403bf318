import { type CanActivate, type ExecutionContext, Injectable, Module, VersioningType } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { Exclusive, RedlockModule } from 'nestjs-exclusive';
import { RedlockDashboardModule } from 'nestjs-exclusive/dashboard';
import { url } from './ledger.js';

@Injectable()
class Exports {
  @Cron('0 0 2 * * *')
  @Exclusive('nightly')
  nightly(): void {}
}

@Injectable()
class KeyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, unknown> }>();
    return headers['x-key'] === 'sesame';
  }
}

@Module({
  imports: [
    ScheduleModule.forRoot(),
    RedlockModule.forRoot({ nodes: url }),
    RedlockDashboardModule.forRoot({ path: 'jobs', guards: [KeyGuard], actions: true }),
  ],
  providers: [Exports],
})
class AppModule {}

/** Serves the dashboard on the platform that `PLATFORM` names. */
async function main(): Promise<void> {
  const adapter = process.env['PLATFORM'] === 'Fastify' ? new FastifyAdapter() : new ExpressAdapter();
  const app = await NestFactory.create(AppModule, adapter, { logger: ['error', 'warn'] });
  app.setGlobalPrefix('api');
  app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
  await app.listen(0, '127.0.0.1');
  console.log(`listening ${await app.getUrl()}`);
}

void main();
