import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { describe, expect, it } from 'vitest';
import { act } from '../../src/dashboard/actions.js';
import { Exclusive, InvalidOptionError, MemoryNode, RedlockService } from '../../src/index.js';
import { JobKeys } from '../../src/nodes/job-keys.js';
import { byHand, ONCE_A_YEAR, start } from '../module/application.js';

@Injectable()
class Jobs {
  @Cron(ONCE_A_YEAR, byHand('report'))
  @Exclusive('report')
  async report(): Promise<string> {
    return 'sent';
  }
}

/** The node is that of the fleet. */
async function disabled(): Promise<{ redlock: RedlockService; node: MemoryNode }> {
  const node = new MemoryNode();
  const app = await start({ redlock: { nodes: node, enabled: false }, providers: [Jobs] });
  return { redlock: app.get(RedlockService), node };
}

describe('with enabled: false,', () => {
  it.each<[what: string, steer: (redlock: RedlockService) => Promise<unknown>]>([
    ['pause', (redlock) => redlock.pause('report', { for: '2h' })],
    ['resume', (redlock) => redlock.resume('report')],
    ['pauseAll', (redlock) => redlock.pauseAll()],
    ['resumeAll', (redlock) => redlock.resumeAll()],
    ['the pause of the dashboard', (redlock) => act(redlock, 'pause', { name: 'report' })],
    ['the resume of the dashboard', (redlock) => act(redlock, 'resume', { name: 'report' })],
  ])('%s says that it cannot reach the fleet', async (_what, steer) => {
    const { redlock } = await disabled();
    const error: unknown = await steer(redlock).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error).toMatchObject({ option: 'enabled', value: false });
    expect((error as Error).message).toBe(
      'RedlockModule: enabled must be true for pause() and resume(), because an instance with enabled: false ' +
        'does not use the nodes: call pause() and resume() on an instance that uses the nodes; received false',
    );
    expect((await redlock.status('report')).paused).toBeNull();
  });

  it('locks, runs and triggers work, and the nodes are not used', async () => {
    const { redlock, node } = await disabled();
    const lock = await redlock.lock('report');
    expect(await redlock.run('report', () => 1)).toEqual({ ran: false, reason: 'overlap' });
    const keys = new JobKeys('JOB_LOCKER', 'report');
    expect(await node.claim({ lock: keys.lock }, 'another', 1000)).toMatchObject({ kind: 'granted' });
    await lock?.release();
    expect(await redlock.run('report', () => 1)).toEqual({ ran: true, value: 1 });
    expect(await redlock.trigger('report')).toEqual({ ran: true, value: 'sent' });
    expect(await redlock.history('report')).toHaveLength(1);
  });
});
