import { beforeEach, describe, expect, it, vi } from 'vitest';
import { MemoryNode } from '../../src/index.js';
import { sleep } from '../../src/clock.js';
import { NodeUnreachableError } from '../../src/errors.js';
import { Heartbeat } from '../../src/services/heartbeat.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { start } from '../module/application.js';
import { LogSpy } from '../nodes/support.js';

/** A node that can be out of reach, or slow to answer. */
class FailingNode extends MemoryNode {
  isDown = false;
  /** Why the node cannot be reached for the register alone. */
  refusal: Error | undefined;
  /** The node answers once this has settled. */
  gate: Promise<void> = Promise.resolve();

  override async register(...args: Parameters<MemoryNode['register']>): Promise<boolean> {
    await this.gate;
    if (this.isDown) throw new Error('is down');
    if (this.refusal) throw this.refusal;
    return super.register(...args);
  }
}

let clock: ManualClock;
let node: FailingNode;
let heartbeat: Heartbeat;
const onQuorum = vi.fn<() => void>();
const onBeat = vi.fn<() => Promise<void>>();
const registers = vi.spyOn(FailingNode.prototype, 'register');
beforeEach(async () => {
  clock = new ManualClock();
  node = new FailingNode(clock.now);
  heartbeat = (await start({ redlock: { nodes: node }, clock })).get(Heartbeat);
  heartbeat.onQuorum = onQuorum;
  heartbeat.onBeat = onBeat;
  await clock.advance(10_000);
  for (const mock of [onQuorum, onBeat, registers]) mock.mockClear();
});

describe('an outage', () => {
  it('is over when a majority of the nodes answers, which are asked every half second', async () => {
    node.isDown = true;
    heartbeat.suspect();
    await clock.advance(5000);
    expect(registers).toHaveBeenCalledTimes(10);
    node.isDown = false;
    await clock.advance(499);
    expect(onQuorum).not.toHaveBeenCalled();
    await clock.advance(1);
    expect(onQuorum).toHaveBeenCalledOnce();
    await clock.advance(60_000);
    expect(onQuorum).toHaveBeenCalledOnce();
  });

  it('is not forgotten if it begins while the nodes are being asked', async () => {
    node.gate = sleep(clock, 10_300);
    await clock.advance(10_000);
    expect(registers).toHaveBeenCalledOnce();
    heartbeat.suspect();
    await clock.advance(300 + 499);
    expect(onQuorum).not.toHaveBeenCalled();
    await clock.advance(1);
    expect(onQuorum).toHaveBeenCalledOnce();
  });

  it.each([
    ['refuse only the register', 'the server of its slot is dead', 'lock'],
    ['refuse its command', 'NOPERM', 'command'],
    ['are late with it', 'no answer within 500 ms', 'slow'],
  ] as const)('is over when the nodes %s', async (_what, why, scope) => {
    node.isDown = true;
    heartbeat.suspect();
    await clock.advance(5000);
    node.isDown = false;
    node.refusal = new NodeUnreachableError('memory', why, scope);
    await clock.advance(500);
    expect(onQuorum).toHaveBeenCalledOnce();
    registers.mockClear();
    await clock.advance(60_000);
    expect(registers).toHaveBeenCalledTimes(6);
    node.refusal = undefined;
    await clock.advance(10_000);
    expect(onQuorum).toHaveBeenCalledOnce();
  });

  it('that begins after a late answer is over as soon as any other', async () => {
    node.refusal = new NodeUnreachableError('memory', 'no answer within 500 ms', 'slow');
    await clock.advance(10_000);
    node.refusal = undefined;
    heartbeat.suspect();
    await clock.advance(500);
    expect(onQuorum).toHaveBeenCalledOnce();
  });

  it.each([
    ['all commands', new NodeUnreachableError('memory', 'NOPERM', 'command')],
    ['only the claims', undefined],
  ])(
    'that is in the permissions for %s does not make the jobs be looked at again and again',
    async (_for, why) => {
      node.refusal = why;
      await clock.advance(10_000);
      onQuorum.mockImplementation(() => heartbeat.suspect());
      heartbeat.suspect();
      await clock.advance(60_000);
      expect(onQuorum.mock.calls.length).toBeLessThanOrEqual(12);
      onQuorum.mockReset();
    },
  );

  it('makes nobody look at the jobs more often than otherwise', async () => {
    node.isDown = true;
    heartbeat.suspect();
    await clock.advance(60_000);
    expect(registers.mock.calls.length).toBeGreaterThan(100);
    expect(onBeat.mock.calls.length).toBeLessThanOrEqual(12);
  });
});

it('a look at the jobs that fails is not taken for a registration that fails', async () => {
  const log = new LogSpy();
  onBeat.mockRejectedValueOnce(new Error('no jobs'));
  await clock.advance(10_000);
  log.restore();
  expect(log.lines.join('\n')).toContain('Looking at the jobs failed: Error: no jobs');
  expect(log.lines.join('\n')).not.toContain('Registering');
});
