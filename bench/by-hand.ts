import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { JobKeys } from '../src/nodes/job-keys.js';
import type { Claim } from '../src/nodes/lock-node.js';
import { argumentsOf, voteOf } from '../src/nodes/redis/script-call.js';
import { CLAIM, SETTLE } from '../src/nodes/redis/scripts.js';
import { type Application, startApplication } from './application.js';
import { CronJobs } from './cron-jobs.js';

const MINUTE = 60_000;
const TTL = 30_000;

/**
 * What a tick costs without the package, in a Nest application on one node: cron jobs that run the claim script, and
 * then the settle script. No deadline, no renewal, no context, no events.
 */
export async function startByHand(client: Redis, jobs: number): Promise<Application> {
  for (const { lua } of [CLAIM, SETTLE]) await client.script('LOAD', lua);
  const cronJobs = new CronJobs(jobs, (begin, job) => async () => {
    const keys = new JobKeys('by-hand', job);
    const at = Math.floor(Date.now() / MINUTE) * MINUTE;
    const claim: Claim = {
      lock: keys.lock,
      tick: { key: keys.tick(at), last: keys.last, at, keep: MINUTE, recover: false },
      loserCounter: { key: keys.losers(at), keep: MINUTE },
    };
    const token = randomUUID();
    const reply = await client.evalsha(CLAIM.sha, ...argumentsOf(CLAIM, claim, token, TTL, 0));
    if (voteOf(reply).kind !== 'granted') return;
    begin();
    await client.evalsha(SETTLE.sha, ...argumentsOf(SETTLE, claim, token, 0, 0));
  });
  return startApplication(cronJobs);
}
