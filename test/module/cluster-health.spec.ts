import slotOf from 'cluster-key-slot';
import { Cluster } from 'ioredis';
import { describe, expect, it, onTestFinished } from 'vitest';
import { RedlockService } from '../../src/index.js';
import { type Member, placesOf, startCluster, stopCluster } from '../engine/cluster.js';
import { findEngine } from '../engine/redis-server.js';
import { newName } from '../nodes/support.js';
import { start } from './application.js';
import { RecordingLogger } from './recording-logger.js';

describe.skipIf(findEngine().kind === 'embedded')('health() of a Cluster', () => {
  it(
    'whose server with the register is dead tells of it, and has a quorum as long as other jobs run',
    { timeout: 60_000 },
    async () => {
      const masters = await startCluster('--cluster-require-full-coverage', 'no');
      onTestFinished(() => stopCluster(masters));
      const hasSlotOf = (key: string): Member => placesOf(slotOf(key), masters)[0];
      const dead = hasSlotOf('{JOB_LOCKER_}');
      const jobOf = (isOfDead: boolean): string => {
        for (;;) {
          const name = newName();
          if ((hasSlotOf(`JOB_LOCKER_${name}`) === dead) === isOfDead) return name;
        }
      };
      const [ill, well] = [jobOf(true), jobOf(false)];
      const seeds = masters.map(({ server: { port } }) => ({ host: '127.0.0.1', port }));
      const logger = new RecordingLogger();
      const nodes = new Cluster(seeds, { lazyConnect: true });
      const redlock = (await start({ redlock: { nodes }, logger })).get(RedlockService);
      for (const name of [ill, well]) expect(await redlock.run(name, () => 1)).toMatchObject({ ran: true });

      await dead.server.kill();
      for (let round = 0; round < 3; round++) {
        expect(await redlock.run(well, () => 1)).toMatchObject({ ran: true });
        expect(await redlock.run(ill, () => 1)).toMatchObject({ ran: false, reason: 'store-down' });
        const unreachable = expect.stringMatching(/has its keys .*cannot be reached/);
        expect(await redlock.health()).toMatchObject({
          quorum: true,
          nodes: [{ votes: true, latency: null, trouble: unreachable }],
        });
      }
      expect(logger.text).toContain(`cannot grant the lock of "${ill}"`);

      await Promise.all(masters.filter((each) => each !== dead).map(({ server }) => server.kill()));
      expect(await redlock.health()).toMatchObject({ quorum: false, nodes: [{ votes: false }] });
    },
  );
});
