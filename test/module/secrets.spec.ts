import { inspect } from 'node:util';
import { ConsoleLogger, Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { Redis } from 'ioredis';
import { afterEach, expect, it, vi } from 'vitest';
import {
  type CurrentRun,
  Exclusive,
  type NodeOption,
  RedlockService,
  type RedlockLock,
  StoreDownError,
} from '../../src/index.js';
import { byHand, fire, ONCE_A_YEAR, start } from './application.js';
import { clientOf, useServer } from './redis.js';

const server = useServer();
afterEach(() => void vi.restoreAllMocks());

const SECRET = 's3cr3t-Passw0rd';

@Injectable()
class Jobs {
  run: CurrentRun | undefined;

  constructor(readonly redlock: RedlockService) {}

  @Cron(ONCE_A_YEAR, byHand('report'))
  @Exclusive('report')
  async report(): Promise<void> {
    this.run = this.redlock.current();
  }
}

/** Everything that an object shows of itself. */
function shown(value: unknown): string {
  const written: string[] = [];
  const write = vi
    .spyOn(process.stdout, 'write')
    .mockImplementation((text) => written.push(String(text)) > 0);
  new ConsoleLogger().log({ value });
  new ConsoleLogger({ json: true }).log({ value });
  write.mockRestore();
  const inspected = inspect(value, { depth: 12, showHidden: true, getters: true, maxArrayLength: null });
  let json = '';
  try {
    json = JSON.stringify({ value });
  } catch {
    // It leads back to itself.
  }
  return [...written, inspected, json].join('\n');
}

it.each<[string, (port: number) => NodeOption]>([
  ['a URL', (port) => `redis://worker:${SECRET}@127.0.0.1:${port}`],
  ['options', (port) => ({ host: '127.0.0.1', port, username: 'worker', password: SECRET })],
  [
    'a client',
    (port) => new Redis({ host: '127.0.0.1', port, username: 'worker', password: SECRET, lazyConnect: true }),
  ],
])('no object that users hold leads to the password in %s', async (_what, nodeOf) => {
  await clientOf(server.it).flushall();
  await clientOf(server.it).acl('SETUSER', 'worker', 'on', `>${SECRET}`, '~*', '+@all');
  const app = await start({ redlock: { nodes: nodeOf(server.it.port) }, providers: [Jobs] });
  const jobs = app.get(Jobs);
  const redlock = app.get(RedlockService);
  const events: unknown[] = [];
  for (const name of ['started', 'finished', 'skipped'] as const)
    redlock.on(name, (event) => events.push(event));
  await fire(app, 'report');
  const lock = (await redlock.lock('import')) as RedlockLock;

  expect(jobs.run).toBeDefined();
  for (const held of [jobs, redlock, lock, jobs.run, events]) expect(shown(held)).not.toContain(SECRET);
  // The check itself sees a secret where there is one.
  expect(shown({ deep: [{ password: SECRET }] })).toContain(SECRET);
});

it('the errors of a node that refuses the password do not lead to it', async () => {
  const nodes = `redis://nobody:${SECRET}@127.0.0.1:${server.it.port}`;
  const redlock = (await start({ redlock: { nodes, onStoreDown: 'throw' } })).get(RedlockService);
  const error: unknown = await redlock.lock('import').catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StoreDownError);
  expect(shown(error)).not.toContain(SECRET);
});
