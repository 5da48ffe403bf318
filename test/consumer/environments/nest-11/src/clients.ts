import RedisMock from 'ioredis-mock';
import { RedlockModule } from 'nestjs-exclusive';
import { NestFactory } from '@nestjs/core';
import { createClient, createClientPool, createCluster, createSentinel } from 'redis';

const address = { host: '127.0.0.1', port: 1 };
/** Clients that are not of ioredis. None of them connects. */
const clients: Record<string, object> = {
  'a Redis of ioredis-mock': new RedisMock(),
  'a Cluster of ioredis-mock': new RedisMock.Cluster([address]),
  'a client of node-redis': createClient(),
  'a pool of node-redis': createClientPool(),
  'a Cluster of node-redis': createCluster({ rootNodes: [{ url: 'redis://127.0.0.1:1' }] }),
  'a Sentinel group of node-redis': createSentinel({ name: 'main', sentinelRootNodes: [address] }),
};

/** Starts an application with each of them as its node, and prints a line of JSON: what came of it, by client. */
async function main(): Promise<void> {
  const outcomes: Record<string, string> = {};
  for (const [what, client] of Object.entries(clients)) {
    const application = {
      module: class {},
      imports: [RedlockModule.forRootAsync({ useFactory: () => ({ nodes: client as never }) })],
    };
    outcomes[what] = await NestFactory.createApplicationContext(application, {
      logger: false,
      abortOnError: false,
    }).then(
      () => 'started',
      (error: Error) => `${error.name}: ${error.message}`,
    );
  }
  console.log(JSON.stringify(outcomes));
  process.exit();
}

void main();
