import { MemoryNode } from 'nestjs-exclusive';
import { LOCK_NODE_CONTRACT, TestFleet } from 'nestjs-exclusive/testing';
import { describe, expect, it, vi } from 'vitest';
import { AppModule } from './app.module.js';
import { Ledger } from './ledger.js';

describe('Jobs', () => {
  it('runs each tick once', async () => {
    const ledger = { note: vi.fn() };
    const fleet = await TestFleet.create(AppModule, {
      instances: 3,
      override: (app) => app.overrideProvider(Ledger).useValue(ledger),
    });
    const runs = await fleet.fire('above');
    expect(runs.filter(({ ran }) => ran)).toHaveLength(1);
    expect(ledger.note).toHaveBeenCalledTimes(1);
    await fleet.close();
  });

  it('runs each tick once on a real Redis', async () => {
    const fleet = await TestFleet.create(AppModule, { instances: 3, nodes: process.env['REDIS_URL'] });
    for (let tick = 0; tick < 2; tick++) {
      const runs = await fleet.fire('above');
      expect(runs.filter(({ ran }) => ran)).toEqual([
        expect.objectContaining({ value: fleet.now.getTime() }),
      ]);
    }
    await fleet.close();
  });
});

describe('a node of our own keeps the contract:', () => {
  it.each(LOCK_NODE_CONTRACT)('$clause', async ({ check }) => {
    let time = Date.now();
    const pass = async (milliseconds: number) => void (time += milliseconds);
    await check({ node: new MemoryNode(() => time), pass });
  });
});
