import { beforeEach, expect, it, vi } from 'vitest';
import { NodeUnreachableError } from '../../src/errors.js';
import { MemoryNode } from '../../src/index.js';
import type { NodeReport } from '../../src/nodes/index.js';
import { Lifecycle } from '../../src/services/lifecycle.service.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { close, start } from './application.js';
import { RecordingLogger } from './recording-logger.js';

const FIVE_MINUTES = 300_000;

let clock: ManualClock;
let node: DriftingNode;
let logger: RecordingLogger;
beforeEach(() => {
  clock = new ManualClock();
  node = new DriftingNode(clock.now);
  logger = new RecordingLogger();
});

class DriftingNode extends MemoryNode {
  clockOffset = 0;
  inspections = 0;

  override async open(): Promise<NodeReport> {
    this.inspections++;
    return { ...(await super.open()), clockOffset: this.clockOffset };
  }
}

const warnings = (): string[] => logger.at('warn').filter((line) => line.includes('The clock of node'));

it('a clock that drifts apart is reported within five minutes, once, and again when it has been right', async () => {
  await start({ redlock: { nodes: node }, logger, clock });
  node.clockOffset = -20_000;
  await clock.advance(FIVE_MINUTES - 1);
  expect(warnings()).toEqual([]);
  await clock.advance(1);
  expect(warnings()).toEqual([expect.stringContaining('is 20.0 s behind the clock of this instance')]);
  await clock.advance(2 * FIVE_MINUTES);
  expect(warnings()).toHaveLength(1);
  node.clockOffset = 0;
  await clock.advance(FIVE_MINUTES);
  node.clockOffset = -20_000;
  await clock.advance(FIVE_MINUTES);
  expect(warnings()).toHaveLength(2);
});

it('an inspection that asks the silent server of a Cluster neither begins nor ends an outage', async () => {
  await start({ redlock: { nodes: node }, logger, clock });
  const inspected = vi.spyOn(node, 'open');
  inspected.mockRejectedValueOnce(new NodeUnreachableError(node.address, 'no answer', 'lock'));
  await clock.advance(FIVE_MINUTES);
  expect(logger.at('warn')).not.toContainEqual(expect.stringContaining('No lock can be acquired'));
  inspected.mockRejectedValueOnce(new NodeUnreachableError(node.address, 'no answer', 'unsent'));
  await clock.advance(FIVE_MINUTES);
  expect(logger.at('warn')).toContainEqual(expect.stringContaining('No lock can be acquired'));
  const again = expect.stringContaining('Locks can be acquired again') as unknown;
  inspected.mockRejectedValueOnce(new NodeUnreachableError(node.address, 'no answer', 'lock'));
  await clock.advance(FIVE_MINUTES);
  expect(logger.at('log')).not.toContainEqual(again);
  await clock.advance(FIVE_MINUTES);
  expect(logger.at('log')).toContainEqual(again);
});

it('the nodes of an application that is closed are not inspected', async () => {
  const app = await start({ redlock: { nodes: node }, logger, clock });
  await close(app);
  const { inspections } = node;
  await clock.advance(10 * FIVE_MINUTES);
  expect(node.inspections).toBe(inspections);
});

it('the nodes are closed once, although two calls of app.close() run the hooks twice, as on NestJS 11', async () => {
  const closes = vi.spyOn(node, 'close');
  const app = await start({ redlock: { nodes: node }, logger, clock });
  const lifecycle = app.get(Lifecycle);
  await Promise.all([lifecycle.onApplicationShutdown(), lifecycle.onApplicationShutdown()]);
  await close(app);
  expect(closes).toHaveBeenCalledTimes(1);
});
