import { ConsoleLogger, Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { afterEach, expect, it, vi } from 'vitest';
import { Exclusive, RedlockService } from '../../src/index.js';
import { byHand, fire, ONCE_A_YEAR, startFleet } from './application.js';
import { RecordingLogger } from './recording-logger.js';
import { useServer } from './redis.js';

const server = useServer();
afterEach(() => void vi.restoreAllMocks());

@Injectable()
class Jobs {
  @Cron(ONCE_A_YEAR, byHand('quiet'))
  @Exclusive('quiet')
  async quiet(): Promise<void> {}
}

/** Everything that reaches the terminal, by the console or past it. */
function recordOutput(): string[] {
  const written: string[] = [];
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  }
  for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const) {
    vi.spyOn(console, method).mockImplementation((...texts) => void written.push(texts.join(' ')));
  }
  return written;
}

it('is what the losers of a tick make at the log levels that Nest has by default', async () => {
  const logger = new ConsoleLogger();
  const apps = await startFleet(3, { redlock: { nodes: server.it.url }, providers: [Jobs], logger });
  const reasons: string[] = [];
  for (const app of apps) app.get(RedlockService).on('skipped', ({ reason }) => reasons.push(reason));

  const written = recordOutput();
  logger.warn('This line shows that the recording works');
  await Promise.all(apps.map((app) => fire(app, 'quiet')));
  const lines = [...written];
  vi.restoreAllMocks();

  expect(reasons).toHaveLength(2);
  expect(lines).toEqual([expect.stringContaining('the recording works')]);
});

it('is not broken at the levels log, warn, error and fatal by a whole life either', async () => {
  const logger = new RecordingLogger();
  const apps = await startFleet(3, { redlock: { nodes: server.it.url }, providers: [Jobs], logger });
  for (const app of apps) await fire(app, 'quiet');
  await Promise.all(apps.map((app) => app.close()));
  const ours = logger.lines.filter(({ text }) => text.includes('RedlockModule'));
  const told = ours.filter(({ level, text }) => level !== 'debug' && !text.includes('dependencies'));
  // One line each, at start: what is guarded.
  const guarding = expect.objectContaining({
    level: 'log',
    text: expect.stringMatching(/^Guarding 1 job \("quiet"\) on /),
  });
  expect(told).toEqual([guarding, guarding, guarding]);
});
