import 'reflect-metadata';
import { ConsoleLogger } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

const app = await NestFactory.create(AppModule, { logger: new ConsoleLogger({ json: true }) });
// After a clean shutdown the exit code is 0; without the option it is that of the signal, 143.
app.enableShutdownHooks([], { useProcessExit: true });
await app.listen(app.get(ConfigService).get<string>('PORT', '3000'));
