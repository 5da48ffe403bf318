import type { Cluster, Redis } from 'ioredis';
import type { NodeReport } from '../lock-node.js';
import { readInfo } from './info.js';
import { isOfOneCommand } from './redis-errors.js';
import { serverTime, type ServerClock } from './server-clock.js';

/** Waits for an answer for a limited time. Rejects with its error, or with one that says that none came in time. */
type Within = (answer: Promise<unknown>) => Promise<unknown>;

/**
 * Inspects a server. What it refuses to tell becomes a warning: it may still allow the commands that voting needs.
 *
 * @param within Limits the time for one answer.
 * @param clock Receives the server's time.
 */
export async function inspectServer(
  client: Redis | Cluster,
  clock: ServerClock,
  within: Within,
): Promise<NodeReport> {
  /** The answer, or the error if the server refuses only this command. */
  const answerTo = (answer: Promise<unknown>): Promise<unknown> =>
    within(
      answer.catch((error: unknown) => (isOfOneCommand(error) ? error : Promise.reject(error as Error))),
    );

  const before = Date.now();
  const asked = performance.now();
  const reply = await answerTo(client.time());
  const time = serverTime(reply);
  const report: NodeReport & { readonly warnings: string[] } =
    time === undefined
      ? { warnings: [`does not tell its time, so its clock could not be compared (TIME: ${said(reply)})`] }
      : { warnings: [], clockOffset: time - (before + Date.now()) / 2 };
  if (time !== undefined) clock.note(time, asked);
  // A server that runs no scripts grants plain locks that it cannot release.
  const ran = await answerTo(client.eval('return 1', 0));
  if (ran !== 1)
    report.warnings.push(
      `refuses scripts, without which it grants no ticks and releases no locks (EVAL: ${said(ran)})`,
    );
  // The servers of a Cluster differ in everything that is asked below.
  if (client.isCluster) return report;

  const info = await answerTo(client.info());
  if (typeof info === 'string' && /^\w+_mode:sentinel\r?$/m.test(info)) {
    return {
      warnings: [],
      unfit: 'it is a Sentinel, which holds no locks: use the options sentinels and name',
    };
  }
  // Otherwise ioredis would ask again, and warn, on each new connection.
  if (info instanceof Error) client.options.enableReadyCheck = false;
  const seen: NodeReport =
    typeof info === 'string' && /^role:/m.test(info) ? readInfo(info) : { warnings: [notLookedOver(info)] };
  const unfit = seen.unfit ?? (await misplaced(client as Redis, within));
  return { ...seen, ...report, unfit, warnings: [...report.warnings, ...seen.warnings] };
}

/** Why the locks would not be in the configured database: after a failed SELECT, ioredis goes on in database 0. */
async function misplaced(client: Redis, within: Within): Promise<string | undefined> {
  const { db = 0 } = client.options;
  if (db === 0) return undefined;
  const refusal = client.select(db).then(
    () => undefined,
    (error: Error) => {
      if (error.name !== 'ReplyError') throw error;
      return `it refuses database ${db} (${error.message}); use one that exists and that its user may select`;
    },
  );
  return (await within(refusal)) as string | undefined;
}

function notLookedOver(reply: unknown): string {
  return (
    `could not be inspected (INFO: ${said(reply)}). Check that it is not a replica, is not in nodes twice, and has ` +
    'maxmemory-policy noeviction'
  );
}

function said(reply: unknown): string {
  return reply instanceof Error ? reply.message : `it answers ${JSON.stringify(reply)?.slice(0, 100)}`;
}
