import { setTimeout } from 'node:timers/promises';
import { Global, Injectable, Module, type ModuleMetadata, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Cron, ScheduleModule } from '@nestjs/schedule';
import { Exclusive, RedlockModule, RedlockService } from 'nestjs-exclusive';
import { url } from './ledger.js';

const QUERIES = 30;
const PAUSE = 50;

/** Disconnects in `onModuleDestroy`, as a Prisma service does. */
@Injectable()
class Db implements OnModuleDestroy {
  private isOpen = true;

  query(): void {
    if (!this.isOpen) throw new Error('The database is closed');
  }

  async onModuleDestroy(): Promise<void> {
    this.isOpen = false;
    console.log('database closed');
    await setTimeout(300);
  }
}

@Injectable()
class Jobs {
  constructor(
    private readonly db: Db,
    private readonly redlock: RedlockService,
  ) {}

  @Cron('* * * * * *')
  @Exclusive('long', { overlap: 'allow' })
  async long(): Promise<void> {
    console.log(`begun ${this.redlock.current()?.fencingToken}`);
    for (let query = 0; query < QUERIES; query++) {
      this.db.query();
      await setTimeout(PAUSE);
    }
    console.log('finished');
  }
}

@Module({ providers: [Db], exports: [Db] })
class DbModule {}

@Global()
@Module({ providers: [Db], exports: [Db] })
class GlobalDbModule {}

@Module({ imports: [DbModule], providers: [Jobs] })
class JobsModule {}

const schedule = ScheduleModule.forRoot();
const keyPrefix = process.env['LAYOUT'] ?? '';
const redlock = RedlockModule.forRoot({ nodes: url, keyPrefix });
const localRedlock = RedlockModule.forRoot({ nodes: url, keyPrefix, isGlobal: false });

/** The layouts of modules, by the place of `Db`. */
const LAYOUTS: Record<string, ModuleMetadata> = {
  'in AppModule': { imports: [schedule, redlock], providers: [Db, Jobs] },
  'in a global module before RedlockModule': {
    imports: [GlobalDbModule, schedule, redlock],
    providers: [Jobs],
  },
  'in a global module after RedlockModule': {
    imports: [schedule, redlock, GlobalDbModule],
    providers: [Jobs],
  },
  'in a module that the feature module imports': { imports: [schedule, redlock, JobsModule] },
  'in AppModule, where RedlockModule is not global': {
    imports: [schedule, localRedlock],
    providers: [Db, Jobs],
  },
  'in a global module, where RedlockModule is not global': {
    imports: [schedule, localRedlock, GlobalDbModule],
    providers: [Jobs],
  },
};

@Module(LAYOUTS[keyPrefix] ?? {})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  app.enableShutdownHooks();
}

void main();
