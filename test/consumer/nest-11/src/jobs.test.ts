import { InvalidOptionError, RedlockModule } from 'nestjs-exclusive';
import { TestFleet } from 'nestjs-exclusive/testing';
import { AppModule } from './app.module';
import { Ledger } from './ledger';

describe('Jobs', () => {
  it('refuse wrong options with an error that Jest recognizes', () => {
    expect(() => RedlockModule.forRoot({ nodes: 'memory', ttl: '1s' })).toThrow(InvalidOptionError);
  });

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
    for (let tick = 0; tick < 2; tick++) {
      const runs = await fleet.fire('above');
      expect(runs.filter(({ ran }) => ran)).toEqual([
        expect.objectContaining({ value: fleet.now.getTime() }),
      ]);
    }
    await fleet.close();
  });
});
