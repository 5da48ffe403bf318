import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

/** Runs for `LIFE` milliseconds. */
async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, {
    logger: ['error', 'warn'],
    abortOnError: false,
  });
  await new Promise((resolve) => setTimeout(resolve, Number(process.env['LIFE'])));
  await app.close();
}

void main();
