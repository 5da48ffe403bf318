import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Cron, SchedulerRegistry } from '@nestjs/schedule';
import type { TestingModule } from '@nestjs/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Duration, Exclusive, MemoryNode, RedlockService, ShutdownError } from '../../src/index.js';
import type { Claim, Vote } from '../../src/nodes/index.js';
import { LeaseRegistry } from '../../src/services/lease-registry.service.js';
import { Gate } from '../services/gate.js';
import { byHand, close, fire, ONCE_A_YEAR, start } from './application.js';
import { RecordingLogger } from './recording-logger.js';

/** Keeps the outer run from calling another job. */
let outerGate: Gate;
/** Keeps the inner run from ending. */
let innerGate: Gate;
let events: string[];
beforeEach(() => {
  outerGate = new Gate();
  outerGate.close();
  innerGate = new Gate();
  events = [];
});

@Injectable()
class Jobs {
  constructor(
    readonly redlock: RedlockService,
    readonly registry: SchedulerRegistry,
  ) {
    for (const name of ['started', 'finished', 'failed'] as const)
      redlock.on(name, (event) => events.push(`${event.name} ${name}`));
    redlock.on('skipped', ({ name, reason }) => events.push(`${name} skipped as ${reason}`));
  }

  @Cron(ONCE_A_YEAR, byHand('nightly'))
  @Exclusive('nightly', { recover: true })
  async nightly(): Promise<void> {
    await outerGate.until;
    await this.invoices();
  }

  @Exclusive('plain')
  async plain(): Promise<unknown> {
    await outerGate.until;
    return this.invoices();
  }

  @Exclusive('triggers')
  async triggers(): Promise<unknown> {
    await outerGate.until;
    return this.redlock.trigger('invoices');
  }

  @Exclusive('fires')
  async fires(): Promise<void> {
    await outerGate.until;
    await this.registry.getCronJob('nightly').fireOnTick();
  }

  @Exclusive('does not wait')
  async doesNotWait(): Promise<void> {
    await outerGate.until;
    void this.invoices();
  }

  @Exclusive('invoices')
  async invoices(): Promise<string> {
    await innerGate.until;
    return 'sent';
  }
}

async function startOne(shutdownTimeout: Duration = '20s', nodes = new MemoryNode()) {
  const logger = new RecordingLogger();
  const app = await start({ redlock: { nodes, shutdownTimeout }, providers: [Jobs], logger });
  return { app, logger, jobs: app.get(Jobs) };
}

/** Closes the application; resolves once the shutdown waits for its runs. */
async function closing(app: TestingModule): Promise<{ closed: Promise<void> }> {
  const closed = close(app);
  await expect.poll(() => app.get(LeaseRegistry, { strict: false }).isClosed).toBe(true);
  return { closed };
}

async function heard(event: string): Promise<void> {
  await expect.poll(() => events, { timeout: 5000 }).toContain(event);
}

describe('a job that is called in a run that the shutdown waits for', () => {
  it.each<[string, string, (app: TestingModule) => Promise<unknown>]>([
    ['a tick with recover', 'nightly', (app) => fire(app, 'nightly')],
    ['a plain call', 'plain', (app) => app.get(Jobs).plain()],
    ['trigger()', 'plain', (app) => app.get(RedlockService).trigger('plain')],
    ['trigger() in a plain call', 'triggers', (app) => app.get(Jobs).triggers()],
    [
      'run()',
      'batch',
      (app) =>
        app.get(RedlockService).run('batch', async () => {
          await outerGate.until;
          return app.get(Jobs).invoices();
        }),
    ],
  ])('is run: %s', async (_what, outer, call) => {
    const { app, logger } = await startOne();
    const called = call(app);
    await heard(`${outer} started`);
    const { closed } = await closing(app);
    outerGate.open();
    await Promise.all([called, closed]);
    expect(events).toEqual([
      `${outer} started`,
      'invoices started',
      'invoices finished',
      `${outer} finished`,
    ]);
    const waits = logger.at('log').filter((line) => line.includes('Waiting up to'));
    expect(waits).toEqual([expect.stringContaining(`runs in progress: "${outer}"`)]);
    expect(logger.at('warn')).toEqual([]);
  });

  it('is waited for, even if the run that calls it does not wait', async () => {
    const { app, jobs } = await startOne();
    innerGate.close();
    const called = jobs.doesNotWait();
    await heard('does not wait started');
    const closed = (await closing(app)).closed.then(() => events.push('closed'));
    outerGate.open();
    await called;
    await heard('invoices started');
    innerGate.open();
    await closed;
    expect(events.slice(-2)).toEqual(['invoices finished', 'closed']);
  });

  it('is waited for while it is claimed, even if the run that calls it has ended', async () => {
    class Slow extends MemoryNode {
      override async claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
        if (claim.name === 'invoices') await innerGate.until;
        return super.claim(claim, token, ttl);
      }
    }
    const { app, jobs } = await startOne('20s', new Slow());
    innerGate.close();
    const called = jobs.doesNotWait();
    await heard('does not wait started');
    const { closed } = await closing(app);
    outerGate.open();
    await called;
    await heard('does not wait finished');
    await pause(20);
    innerGate.open();
    await closed;
    expect(events).toContain('invoices finished');
  });

  it('is run, even if it was being claimed when the shutdown began', async () => {
    class FailingOnce extends MemoryNode {
      private hasFailed = false;
      override async claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
        if (claim.name !== 'invoices' || this.hasFailed) return super.claim(claim, token, ttl);
        this.hasFailed = true;
        events.push('invoices claimed');
        await innerGate.until;
        throw new Error('not now');
      }
    }
    const { app, jobs } = await startOne('20s', new FailingOnce());
    innerGate.close();
    outerGate.open();
    const called = jobs.plain();
    await heard('invoices claimed');
    const { closed } = await closing(app);
    innerGate.open();
    expect(await called).toBe('sent');
    await closed;
  });
});

describe('while the shutdown waits for a run,', () => {
  it('nothing else is run, neither a firing in it, nor what it has left behind', async () => {
    const { app, jobs } = await startOne();
    const kept = jobs.plain();
    const left = new Gate();
    left.close();
    let late: Promise<unknown> | undefined;
    await jobs.redlock.run('short', () => void (late = left.until.then(() => jobs.invoices())));
    const fires = jobs.fires();
    await heard('fires started');
    events = [];
    const { closed } = await closing(app);
    await Promise.all([jobs.invoices(), fire(app, 'nightly')]);
    left.open();
    await late;
    expect(events).toEqual(Array.from({ length: 3 }, () => expect.stringMatching(/ skipped as shutdown$/)));
    outerGate.open();
    await Promise.all([kept, fires, closed]);
    expect(events.slice(3)).toContain('nightly skipped as shutdown');
    expect(events.slice(3)).toContain('invoices finished');
  });

  it('a run that it has aborted calls no other job', async () => {
    const { app } = await startOne('50ms');
    const errors: unknown[] = [];
    app.get(RedlockService).on('aborted', () => outerGate.open());
    app.get(RedlockService).on('failed', ({ error }) => errors.push(error));
    const called = fire(app, 'nightly');
    await heard('nightly started');
    await close(app);
    await called;
    expect(events).toEqual(['nightly started', 'invoices skipped as shutdown', 'nightly failed']);
    expect(errors).toEqual([expect.any(ShutdownError)]);
    expect(String(errors[0])).toContain('"invoices" was not run, because the application is shutting down');
  });

  it('a claim in a run that is granted too late is released', async () => {
    class Slow extends MemoryNode {
      readonly held: string[] = [];
      override async claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
        const vote = await super.claim(claim, token, ttl);
        this.held.push(claim.lock);
        if (claim.name === 'invoices') await innerGate.until;
        return vote;
      }
      override async release(claim: Claim, token: string): Promise<boolean> {
        this.held.splice(this.held.indexOf(claim.lock), 1);
        return super.release(claim, token);
      }
    }
    const node = new Slow();
    const { app, jobs } = await startOne('50ms', node);
    innerGate.close();
    outerGate.open();
    const called = jobs.plain();
    const isHeld = (): boolean => node.held.includes('JOB_LOCKER_invoices');
    await expect.poll(isHeld).toBe(true);
    const closed = close(app);
    await pause(150);
    innerGate.open();
    await closed;
    expect(await called).toBeUndefined();
    expect(isHeld()).toBe(false);
    expect(events).toEqual(['plain started', 'invoices skipped as shutdown', 'plain finished']);
  });

  it('a tick is run to its end, even if it was granted only after shutdownTimeout', async () => {
    class Slow extends MemoryNode {
      override async claim(claim: Claim, token: string, ttl: number): Promise<Vote> {
        const vote = await super.claim(claim, token, ttl);
        events.push(`${claim.name} claimed`);
        await innerGate.until;
        return vote;
      }
    }
    const { app } = await startOne('50ms', new Slow());
    innerGate.close();
    const called = fire(app, 'nightly');
    await heard('nightly claimed');
    outerGate.open();
    const closed = close(app);
    await pause(150);
    innerGate.open();
    await Promise.all([called, closed]);
    expect(events).toContain('nightly finished');
  });

  it('the run that another one calls ends with it', async () => {
    const { app, jobs, logger } = await startOne('50ms');
    innerGate.close();
    app.get(RedlockService).on('aborted', () => innerGate.open());
    const called = jobs.plain();
    await heard('plain started');
    const { closed } = await closing(app);
    outerGate.open();
    await Promise.all([called, closed]);
    expect(logger.at('warn').toSorted()).toEqual([
      expect.stringContaining('The run of "invoices" was not over when the application shut down'),
      expect.stringContaining('The run of "plain" was not over when the application shut down'),
    ]);
  });
});

describe('a call inside a run of its firing', () => {
  @Injectable()
  class Nested {
    constructor(
      private readonly redlock: RedlockService,
      private readonly registry: SchedulerRegistry,
    ) {}

    @Cron(ONCE_A_YEAR, byHand('calls inner'))
    async callsInner(): Promise<void> {
      await this.inner();
    }

    @Cron(ONCE_A_YEAR, byHand('calls outer'))
    async callsOuter(): Promise<void> {
      await this.outer();
    }

    @Exclusive('outer')
    async outer(): Promise<void> {
      // A run that belongs to another cron job is in between.
      await this.redlock.run('between', () => this.inner(), { job: this.registry.getCronJob('spread') });
    }

    @Exclusive('inner')
    async inner(): Promise<void> {
      events.push('inner');
    }

    @Cron('0 */6 * * *', byHand('spread'))
    @Exclusive('spread', { spread: '2h' })
    async spread(): Promise<void> {
      events.push('spread');
    }

    @Cron('0 * * * *', byHand('hourly'))
    @Exclusive('hourly')
    async hourly(): Promise<void> {
      await this.spread();
    }
  }
  Reflect.defineMetadata('design:paramtypes', [RedlockService, SchedulerRegistry], Nested);

  it('claims only the lock, also through a run that belongs to another cron job', async () => {
    const app = await start({ providers: [Nested] });
    await fire(app, 'calls inner');
    await fire(app, 'calls outer');
    expect(events).toEqual(['inner', 'inner']);
  });

  it('does not wait, and so may have a spread that is longer than the period of the outer job', async () => {
    const app = await start({ providers: [Nested] });
    await fire(app, 'hourly');
    expect(events).toEqual(['spread']);
  });
});
