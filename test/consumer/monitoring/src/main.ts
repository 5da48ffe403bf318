import './telemetry.js';
import { ConsoleLogger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { ObserveInstrument } from './observe.js';

const app = await NestFactory.create(AppModule, {
  instrument: ObserveInstrument,
  logger: new ConsoleLogger({ json: true }),
});
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');
console.log(`listening ${await app.getUrl()}`);
