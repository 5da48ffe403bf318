import { setTimeout as pause } from 'node:timers/promises';
import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Global,
  Injectable,
  Module,
  type ModuleMetadata,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { beforeEach, describe, expect, it } from 'vitest';
import { Exclusive, RedlockModule, RedlockService } from '../../src/index.js';
import { byHand, close, fire, newYear, ONCE_A_YEAR, start } from './application.js';
import { RecordingLogger } from './recording-logger.js';
import { clientOf, useServer } from './redis.js';

const server = useServer();
beforeEach(() => clientOf(server.it).flushall());

/** Every recipe for a database closes it like this. */
@Injectable()
class Database implements OnModuleDestroy {
  isOpen = true;

  async onModuleDestroy(): Promise<void> {
    this.isOpen = false;
    await pause(300);
  }

  query(): void {
    if (!this.isOpen) throw new Error('The database is closed');
  }
}

@Injectable()
class Jobs {
  readonly ends: string[] = [];
  /** Whether `long` may end. */
  mayEnd = false;
  constructor(readonly database: Database) {}

  @Cron(ONCE_A_YEAR, byHand('long'))
  @Exclusive('long')
  async long(): Promise<void> {
    try {
      do {
        this.database.query();
        await pause(50);
      } while (!this.mayEnd);
      this.ends.push('finished');
    } catch (error) {
      this.ends.push(String(error));
    }
  }

  /** Fires all the time. */
  @Cron('* * * * * *')
  @Exclusive('often')
  async often(): Promise<void> {
    if (!this.database.isOpen) this.ends.push('begun after the database was closed');
  }
}

@Global()
@Module({ providers: [Database], exports: [Database] })
class GlobalDatabaseModule {}

@Module({ providers: [Database], exports: [Database] })
class DatabaseModule {}

@Module({ imports: [DatabaseModule], providers: [Jobs] })
class JobsModule {}

@Module({ imports: [JobsModule] })
class DeepModule {}

type Layout = (redlock: DynamicModule) => Pick<ModuleMetadata, 'imports' | 'providers'>;

const LAYOUTS: [string, Layout, isGlobal?: boolean][] = [
  ['in AppModule', (redlock) => ({ imports: [redlock], providers: [Database, Jobs] })],
  [
    'in a global module imported before',
    (redlock) => ({ imports: [GlobalDatabaseModule, redlock], providers: [Jobs] }),
  ],
  [
    'in a global module imported after',
    (redlock) => ({ imports: [redlock, GlobalDatabaseModule], providers: [Jobs] }),
  ],
  ['in a feature module', (redlock) => ({ imports: [redlock, JobsModule] })],
  ['in a feature module imported before', (redlock) => ({ imports: [JobsModule, redlock] })],
  ['in a feature module far down', (redlock) => ({ imports: [redlock, DeepModule] })],
  [
    'in AppModule, with isGlobal: false',
    (redlock) => ({ imports: [redlock], providers: [Database, Jobs] }),
    false,
  ],
  [
    'in a global module imported after, with isGlobal: false',
    (redlock) => ({ imports: [redlock, GlobalDatabaseModule], providers: [Jobs] }),
    false,
  ],
  [
    'beside RedlockModule in a feature module, with isGlobal: false',
    (redlock) => {
      @Module({ imports: [redlock, DatabaseModule], providers: [Jobs] })
      class Feature {}
      return { imports: [Feature] };
    },
    false,
  ],
];

describe('a database that is closed in onModuleDestroy', () => {
  it.each(LAYOUTS)('outlives the run in progress: %s', async (_where, layout, isGlobal = true) => {
    const redlock = RedlockModule.forRoot({ nodes: server.it.url, shutdownTimeout: '20s', isGlobal });
    const logger = new RecordingLogger();
    const app = await start({ redlock: null, ...layout(redlock), logger });
    const jobs = app.get(Jobs, { strict: false });
    const run = fire(app, 'long');
    await expect.poll(() => clientOf(server.it).exists('JOB_LOCKER_long')).toBe(1);
    const closed = close(app);
    const waits = (): string[] => logger.at('log').filter((line) => line.includes('Waiting up to 20000 ms'));
    await expect.poll(waits).toEqual([expect.stringContaining('"long"')]);
    await pause(100);
    jobs.mayEnd = true;
    await closed;
    await run;
    expect(jobs.ends).toEqual(['finished']);
    expect(jobs.database.isOpen).toBe(false);
    expect(await clientOf(server.it).get('{JOB_LOCKER_long}:last')).toBe(String(newYear().getTime()));
  });
});

it('a lock that a module holds is kept until that module has released it', async () => {
  @Injectable()
  class Leader implements OnModuleDestroy {
    lock: Awaited<ReturnType<RedlockService['lock']>> = null;
    readonly seen: unknown[] = [];
    constructor(readonly locks: RedlockService) {}
    async onModuleInit(): Promise<void> {
      this.lock = await this.locks.lock('leader');
    }
    async onModuleDestroy(): Promise<void> {
      this.seen.push(this.lock?.signal.aborted);
      await this.lock?.release();
      const last = await this.locks.lock('flush once', { wait: '1s' });
      this.seen.push(last?.name);
      await last?.release();
    }
  }
  const app = await start({ redlock: { nodes: server.it.url, shutdownTimeout: '10s' }, providers: [Leader] });
  const leader = app.get(Leader);
  const begun = performance.now();
  await close(app);
  expect(performance.now() - begun).toBeLessThan(2000);
  expect(leader.seen).toEqual([false, 'flush once']);
  const keys = await clientOf(server.it).keys('*');
  expect(keys.filter((key) => !key.includes('}:fleet'))).toEqual([]);
});

it('a tick that comes due while the application shuts down is not claimed', async () => {
  @Injectable()
  class Slow implements OnModuleDestroy, BeforeApplicationShutdown {
    async onModuleDestroy(): Promise<void> {
      await pause(1100);
    }
    async beforeApplicationShutdown(): Promise<void> {
      await pause(1100);
    }
  }
  const app = await start({ redlock: { nodes: server.it.url }, providers: [Database, Jobs, Slow] });
  const started: number[] = [];
  app.get(RedlockService).on('started', ({ tick }) => started.push(tick?.getTime() ?? 0));
  const closing = close(app);
  const began = started.length;
  await closing;
  expect(started).toHaveLength(began);
  expect(app.get(Jobs).ends).toEqual([]);
});

it('a lock can be had in the constructors, factories and hooks of an application that starts', async () => {
  const holders: (string | undefined)[] = [];
  const take = async (locks: RedlockService, name: string): Promise<void> => {
    const lock = await locks.lock(name, { wait: '2s' });
    holders.push(lock?.name);
    await lock?.release();
  };
  @Injectable()
  class Early {
    constructor(readonly locks: RedlockService) {}
    async onModuleInit(): Promise<void> {
      await take(this.locks, 'in onModuleInit');
    }
    @Exclusive('decorated') async migrate(): Promise<string> {
      return 'migrated';
    }
  }
  const factory = {
    provide: 'MIGRATED',
    inject: [RedlockService, Early],
    useFactory: async (locks: RedlockService, early: Early): Promise<string | undefined> => {
      await take(locks, 'in a factory');
      return early.migrate();
    },
  };
  for (const nodes of [server.it.url, clientOf(server.it, { lazyConnect: true })]) {
    holders.length = 0;
    const app = await start({ redlock: { nodes }, providers: [factory, Early] });
    expect(holders).toEqual(['in a factory', 'in onModuleInit']);
    expect(app.get('MIGRATED')).toBe('migrated');
  }
});
