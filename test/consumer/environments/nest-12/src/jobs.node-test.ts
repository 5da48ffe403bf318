import assert from 'node:assert/strict';
import { it, mock } from 'node:test';
import { TestFleet } from 'nestjs-exclusive/testing';
import { AppModule } from './app.module.js';
import { Ledger } from './ledger.js';

it('runs each tick once', async () => {
  const ledger = { note: mock.fn() };
  const fleet = await TestFleet.create(AppModule, {
    instances: 3,
    override: (app) => app.overrideProvider(Ledger).useValue(ledger),
  });
  const runs = await fleet.fire('above');
  assert.equal(runs.filter(({ ran }) => ran).length, 1);
  assert.equal(ledger.note.mock.callCount(), 1);
  await fleet.close();
});
