// What the compiler takes and refuses as the options of the module.
import { Redis, type RedisOptions } from 'ioredis';
import {
  MemoryNode,
  type NodeOption,
  RedlockModule,
  type RedlockModuleOptions,
  type RedlockOptionsFactory,
} from '../../src/index.js';
import type { REDIS_OPTIONS } from '../../src/nodes/redis/redis-options.js';

/** The options that ioredis has and this package does not know: none. */
export const forgotten: never[] = [] as Exclude<keyof RedisOptions, (typeof REDIS_OPTIONS)[number]>[];

/** Each form of one node. */
export const nodes: NodeOption[] = [
  'redis://10.1.1.1:6379',
  { host: '10.1.1.1' },
  { sentinels: [{ host: '10.1.1.1' }], name: 'main' },
  new Redis({ lazyConnect: true }),
  new Redis.Cluster([], { lazyConnect: true }),
  new MemoryNode(),
];

export class Factory implements RedlockOptionsFactory {
  createRedlockOptions(): RedlockModuleOptions {
    return { nodes };
  }
}

export class AsyncFactory implements RedlockOptionsFactory {
  async createRedlockOptions(): Promise<RedlockModuleOptions> {
    return { nodes: 'memory' };
  }
}

export class NoFactory {
  createOptions(): RedlockModuleOptions {
    return {};
  }
}

/** Is compiled, and never called. */
export function taken(): void {
  RedlockModule.forRoot();
  RedlockModule.forRoot({});
  RedlockModule.forRoot({ nodes: 'memory', isGlobal: false });
  RedlockModule.forRoot({ nodes: 'redis://10.1.1.1:6379' });
  RedlockModule.forRoot({ nodes });
  RedlockModule.forRoot({ nodes: nodes as readonly NodeOption[] });
  RedlockModule.forRoot({
    keyPrefix: 'JOBS',
    ttl: '30s',
    nodeTimeout: 500,
    maxRuntime: '10m',
    onStoreDown: 'run',
    spread: '30s',
    shutdownTimeout: '10s',
    enabled: true,
    instanceId: 'worker-1',
  });
  RedlockModule.forRootAsync({ useFactory: () => ({ nodes }), isGlobal: false });
  RedlockModule.forRootAsync({ useFactory: () => ({ nodes }), isGlobal: undefined });
  RedlockModule.forRootAsync({ useFactory: async () => ({ nodes }) });
  RedlockModule.forRootAsync({ inject: ['URL'], useFactory: (url: string) => ({ nodes: url }) });
  RedlockModule.forRootAsync({ useClass: Factory });
  RedlockModule.forRootAsync({ useExisting: AsyncFactory });
}

/** Is compiled, and never called. */
export function refused(): void {
  // @ts-expect-error no node
  RedlockModule.forRoot({ nodes: 6379 });
  // @ts-expect-error no node among the nodes
  RedlockModule.forRoot({ nodes: ['redis://10.1.1.1:6379', 6380] });
  // @ts-expect-error no option of a connection
  RedlockModule.forRoot({ nodes: { hostname: '10.1.1.1' } });
  // @ts-expect-error a list of hosts is no node
  RedlockModule.forRoot({ nodes: { host: ['10.1.1.1', '10.1.1.2'] } });
  // @ts-expect-error an object that lacks most of a LockNode
  RedlockModule.forRoot({ nodes: { address: 'here', claim: () => Promise.resolve({ kind: 'granted' }) } });
  // @ts-expect-error no such option
  RedlockModule.forRoot({ node: 'memory' });
  // @ts-expect-error an option of a job alone
  RedlockModule.forRoot({ recover: true });
  // @ts-expect-error no duration
  RedlockModule.forRoot({ ttl: { seconds: 30 } });
  // @ts-expect-error none of 'skip', 'run' and 'throw'
  RedlockModule.forRoot({ onStoreDown: 'Skip' });
  // @ts-expect-error no duration
  RedlockModule.forRoot({ spread: '30 secs ago' });
  // @ts-expect-error no boolean
  RedlockModule.forRoot({ enabled: 'true' });
  // @ts-expect-error no boolean
  RedlockModule.forRoot({ isGlobal: 1 });
  // @ts-expect-error no text
  RedlockModule.forRoot({ instanceId: 1 });
  // @ts-expect-error no text
  RedlockModule.forRoot({ keyPrefix: ['JOBS'] });
  // @ts-expect-error options themselves
  RedlockModule.forRootAsync({ nodes: 'memory' });
  // @ts-expect-error nothing at all
  RedlockModule.forRootAsync();
  // @ts-expect-error a factory of something else
  RedlockModule.forRootAsync({ useFactory: () => ({ nodes: 6379 }) });
  // @ts-expect-error a class without createRedlockOptions
  RedlockModule.forRootAsync({ useClass: NoFactory });
}
