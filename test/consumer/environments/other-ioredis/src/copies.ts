import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import * as own from 'ioredis';
import { type NodeOption, RedlockModule, RedlockService } from 'nestjs-exclusive';
import * as other from 'other-ioredis';

const ownOptions: own.RedisOptions = { host: '127.0.0.1', lazyConnect: true };
const otherOptions: other.RedisOptions = { host: '127.0.0.1', lazyConnect: true };

/** What the compiler must take, whichever copy of ioredis it comes from. */
export const nodes: NodeOption[] = [
  ownOptions,
  new own.Redis(ownOptions),
  new own.Cluster([], { lazyConnect: true }),
  otherOptions,
  new other.Redis(otherOptions),
  new other.Cluster([], { lazyConnect: true }),
];
RedlockModule.forRoot({ nodes: new other.Redis(otherOptions) });
RedlockModule.forRoot({ nodes: new other.Cluster([], { lazyConnect: true }) });
RedlockModule.forRoot({ nodes: otherOptions });
RedlockModule.forRootAsync({ useFactory: () => ({ nodes: [otherOptions] }) });

const client = new other.Redis(process.env['REDIS_URL'] ?? '', { lazyConnect: true });

@Module({ imports: [RedlockModule.forRoot({ nodes: client })] })
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  const outcome = await app.get(RedlockService).run('job', () => 'done');
  console.log(JSON.stringify(outcome));
  await app.close();
}

void main();
