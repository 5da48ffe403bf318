'use strict';
// An application without a compiler: what decorators do is done by hand, so that one text serves CommonJS and ESM.

/**
 * Runs for a few ticks of two jobs, one with `@Exclusive` below `@Cron` and one with it above, and writes each run
 * into a list in Redis.
 */
module.exports = async function run(packages) {
  const {
    Module,
    NestFactory,
    Cron,
    ScheduleModule,
    Exclusive,
    RedlockModule,
    RedlockService,
    Inject,
    Redis,
  } = packages;
  const url = process.env.REDIS_URL;
  const log = new Redis(url);

  class Jobs {
    constructor(redlock) {
      this.redlock = redlock;
    }

    async below() {
      await this.note();
    }

    async above() {
      await this.note();
    }

    async note() {
      const { name, tick } = this.redlock.current();
      await log.rpush(`runs of ${name}`, tick.getTime());
    }
  }
  // Without the module, Nest would complain of this one first.
  if (!process.env.WITHOUT_MODULE) Inject(RedlockService)(Jobs, undefined, 0);
  const everySecond = Cron('* * * * * *');
  // Decorators of a method work from the lowest to the highest.
  decorate(Jobs.prototype, 'below', [Exclusive('below'), everySecond]);
  decorate(Jobs.prototype, 'above', [everySecond, Exclusive('above')]);

  const redlock = process.env.WITHOUT_MODULE ? [] : [RedlockModule.forRoot({ nodes: url })];
  Module({ imports: [ScheduleModule.forRoot(), ...redlock], providers: [Jobs] })(AppModule);

  try {
    const app = await NestFactory.createApplicationContext(AppModule, {
      logger: ['error', 'warn'],
      abortOnError: false,
    });
    await new Promise((resolve) => setTimeout(resolve, Number(process.env.LIFE)));
    await app.close();
  } finally {
    log.disconnect();
  }
};

function AppModule() {}

function decorate(prototype, key, decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, key);
  for (const decorator of decorators) decorator(prototype, key, descriptor);
  Object.defineProperty(prototype, key, descriptor);
}
