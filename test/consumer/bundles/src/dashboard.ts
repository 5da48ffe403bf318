import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { RedlockModule } from 'nestjs-exclusive';
import { RedlockDashboardModule } from 'nestjs-exclusive/dashboard';

@Module({
  imports: [RedlockModule.forRoot({ nodes: 'memory' }), RedlockDashboardModule.forRoot({ public: true })],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');
  console.log(`listening ${await app.getUrl()}`);
}

void main();
