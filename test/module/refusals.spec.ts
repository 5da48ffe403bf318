import { randomUUID } from 'node:crypto';
import type { TestingModule } from '@nestjs/testing';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { RedlockService } from '../../src/index.js';
import { findEngine, RedisServer } from '../engine/redis-server.js';
import { close, start } from './application.js';
import { RecordingLogger } from './recording-logger.js';
import { clientOf, useServer } from './redis.js';

const USER = ['reset', 'on', '>secret', '~*', '+@all'];

/** What the log says of the server. */
const said = ({ lines }: RecordingLogger): string[] =>
  lines.map(({ text }) => text).filter((text) => / is (un)?available/.test(text));

/** Four runs, each of which needs most commands of the scripts. */
async function run(app: TestingModule): Promise<void> {
  for (let times = 0; times < 4; times++)
    await app.get(RedlockService).run(randomUUID(), () => 1, { recover: true });
}

describe.skipIf(findEngine().kind === 'embedded')('a server that refuses a command of the scripts', () => {
  const server = useServer();
  let logger: RecordingLogger;
  beforeEach(() => void (logger = new RecordingLogger()));

  it.each(['set', 'time', 'get', 'evalsha', 'del'])(
    'is one line in the log without %s, and one when it allows it',
    async (command) => {
      const client = clientOf(server.it);
      await client.acl('SETUSER', 'jobs', ...USER);
      const app = await start({
        redlock: { nodes: server.it.url.replace('//', '//jobs:secret@') },
        logger,
      });
      await client.acl('SETUSER', 'jobs', `-${command}`);
      await run(app);
      const before = said(logger);
      await client.acl('SETUSER', 'jobs', ...USER);
      await run(app);
      expect(before).toEqual([expect.stringContaining('is unavailable')]);
      expect(said(logger)).toEqual([...before, expect.stringContaining('is available again')]);
    },
  );

  it.each(['lpush', 'ltrim', 'pexpire'])(
    'is one line in the log without %s, which only records need',
    async (command) => {
      const client = clientOf(server.it);
      await client.acl('SETUSER', 'jobs', ...USER, `-${command}`);
      const nodes = server.it.url.replace('//', '//jobs:secret@');
      const app = await start({ redlock: { nodes }, logger });
      await run(app);
      const lines = logger.at('warn').filter((text) => text.includes('complete its record'));
      expect(lines).toEqual([
        expect.stringMatching(
          / settled a run of "\S+", but did not complete its record: .* needs .*once an hour/,
        ),
      ]);
      expect(said(logger)).toEqual([]);
      expect(await client.keys('JOB_LOCKER_*')).toEqual([]);
    },
  );

  it('is one line in the log for each job whose records something else has overwritten', async () => {
    const client = clientOf(server.it);
    const app = await start({ redlock: { nodes: server.it.url }, logger });
    const redlock = app.get(RedlockService);
    await client.set('{JOB_LOCKER_report}:runs', 'something else');
    for (let times = 0; times < 2; times++) await redlock.run('report', () => 1);
    expect(logger.at('warn')).toEqual([
      expect.stringMatching(
        / settled a run of "report", but did not complete its record: WRONGTYPE .*"\{JOB_LOCKER_report\}:runs".*: delete/,
      ),
    ]);
  });

  it.each(['SET', 'TIME'])('is one line in the log if %s has been renamed', async (command) => {
    const renamed = await RedisServer.start({ args: ['--rename-command', command, ''] });
    onTestFinished(() => renamed.stop());
    const app = await start({ redlock: { nodes: renamed.url }, logger });
    await run(app);
    await close(app);
    expect(said(logger)).toEqual([expect.stringContaining('is unavailable')]);
  });
});

/** What is logged about a run on a Valkey server, which the embedded engine is, whose user is restricted. */
async function warningsOnValkey(restriction: string): Promise<string[]> {
  vi.stubEnv('REDIS_ENGINE', 'embedded');
  const server = await RedisServer.start().finally(() => vi.unstubAllEnvs());
  onTestFinished(() => server.stop());
  await clientOf(server).acl('SETUSER', 'jobs', ...USER, restriction);
  const logger = new RecordingLogger();
  const app = await start({ redlock: { nodes: server.url.replace('//', '//jobs:secret@') }, logger });
  await run(app);
  await close(app);
  return logger.at('warn');
}

describe('the log about a Valkey server', () => {
  it.each(['-lpush', '-ltrim'])(
    'says that a record is not complete if the user has %s',
    async (restriction) => {
      const warnings = await warningsOnValkey(restriction);
      expect(warnings).toEqual([expect.stringContaining('did not complete its record')]);
    },
  );

  it.each(['-set', '-pexpire', '-evalsha', 'resetkeys'])(
    'says what the user needs if it has %s',
    async (restriction) => {
      const warnings = await warningsOnValkey(restriction);
      const refused = warnings.filter((line) => /permission/.test(line));
      expect(refused).not.toEqual([]);
      for (const line of refused) {
        expect(line).toMatch(/; its user needs evalsha, .* on the keys of all jobs/);
        expect(line).not.toContain('user_script');
      }
    },
  );
});
