import { expect, it, jest } from '@jest/globals';
import { TestFleet } from 'nestjs-exclusive/testing';
import { AppModule } from './app.module.js';
import { Ledger } from './ledger.js';

it('runs each tick once', async () => {
  const ledger = { note: jest.fn() };
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
  const runs = await fleet.fire('above');
  expect(runs.filter(({ ran }) => ran)).toHaveLength(1);
  await fleet.close();
});
