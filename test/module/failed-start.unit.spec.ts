import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { InvalidOptionError, MemoryNode, RedlockService, type RunOutcome } from '../../src/index.js';
import type { NodeReport, Vote } from '../../src/nodes/index.js';
import { build } from './application.js';

/** Grants a claim only after it has said that it is no node. */
class UnfitNode extends MemoryNode {
  readonly steps: string[] = [];
  private isOpened = false;

  override async open(): Promise<NodeReport> {
    const report = await super.open();
    this.isOpened = true;
    return { ...report, unfit: 'it is a read-only replica' };
  }

  override async claim(...claim: Parameters<MemoryNode['claim']>): Promise<Vote> {
    while (!this.isOpened) await turn();
    for (let count = 0; count < 5; count++) await turn();
    return super.claim(...claim);
  }

  override settle(...settled: Parameters<MemoryNode['settle']>): Promise<boolean> {
    this.steps.push('settled');
    return super.settle(...settled);
  }

  override close(): Promise<void> {
    this.steps.push('closed');
    return super.close();
  }
}

it('a run that begins while the start fails has ended and is settled when the nodes are closed', async () => {
  const node = new UnfitNode();
  const { steps } = node;
  let outcome: Promise<RunOutcome<unknown>> | undefined;
  const begin = (redlock: RedlockService): object => {
    outcome = redlock.run('report', async () => {
      steps.push('begun');
      for (let count = 0; count < 5; count++) await turn();
      steps.push('ended');
    });
    return {};
  };
  const factory = { provide: 'early', inject: [RedlockService], useFactory: begin };
  const app = await build({ redlock: { nodes: node }, providers: [factory] });
  await expect(app.init()).rejects.toThrow(InvalidOptionError);
  expect(await outcome).toMatchObject({ ran: true });
  expect(steps).toEqual(['begun', 'ended', 'settled', 'closed']);
});
