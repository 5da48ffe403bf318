/** A fleet whose instances are processes, with a dashboard, on a Redis server. */
import { type ChildProcess, fork } from 'node:child_process';
import { on, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { RedisServer } from '../engine/redis-server.js';
import type { FromInstance, InstanceSpec, ToInstance } from './instance.js';

// Run by vitest, this file is TypeScript; the child is plain Node, and always runs the compiled program.
const PROGRAM = fileURLToPath(
  import.meta.url.endsWith('.ts')
    ? new URL('../../build/test/dashboard/instance.js', import.meta.url)
    : new URL('instance.js', import.meta.url),
);

export const AUTHORIZATION = 'Basic YWRtaW46YWRtaW4=';

export class RealFleet {
  private readonly instances = new Map<string, ChildProcess>();
  /** The address of the dashboard of the first instance. */
  page = '';

  private constructor(readonly redis: RedisServer) {
    process.once('exit', () => this.killAll());
  }

  static async start(names: readonly string[]): Promise<RealFleet> {
    const fleet = new RealFleet(await RedisServer.start());
    const pages = await Promise.all(names.map((name) => fleet.add(name)));
    fleet.page = pages[0] ?? '';
    return fleet;
  }

  /** Starts one more instance. Resolves to the address of its dashboard. */
  async add(name: string): Promise<string> {
    const spec: InstanceSpec = { name, redisUrl: this.redis.url, authorization: AUTHORIZATION };
    const child = fork(PROGRAM, { env: { ...process.env, INSTANCE: JSON.stringify(spec) }, execArgv: [] });
    this.instances.set(name, child);
    for await (const message of messagesOf(child)) if ('page' in message) return message.page;
    throw new Error(`${name} ended instead of starting`);
  }

  /** Lets the cron jobs of this instance fire, and no others, until its run of `job` has begun. */
  async letRun(name: string, job: string): Promise<void> {
    for (const [other, child] of this.instances) tell(child, { isResting: other !== name });
    await this.hasBegun(job, [name]);
  }

  /** Lets all instances fire again. */
  letAllRun(): void {
    for (const child of this.instances.values()) tell(child, { isResting: false });
  }

  /** Waits until a run of a tick of `job` begins, on one of those instances, and of a tick after `since`. */
  async hasBegun(job: string, names: Iterable<string> = this.instances.keys(), since = 0): Promise<void> {
    const over = new AbortController();
    const begun = [...names].map(async (name) => {
      for await (const message of messagesOf(this.instances.get(name)!, over.signal))
        if ('began' in message && message.began === job && message.tick > since) return;
      throw new Error(`${name} is gone`);
    });
    await Promise.any(begun).finally(() => over.abort());
  }

  /** No farewell, as when a machine loses power. */
  async kill(name: string): Promise<void> {
    const child = this.instances.get(name);
    this.instances.delete(name);
    child?.kill('SIGKILL');
    if (child?.exitCode === null) await once(child, 'exit');
  }

  async stop(): Promise<void> {
    this.killAll();
    await this.redis.stop();
  }

  private killAll(): void {
    for (const child of this.instances.values()) child.kill('SIGKILL');
  }
}

function tell(child: ChildProcess, message: ToInstance): void {
  // It may have been killed, and this process not know yet.
  if (child.connected) child.send(message, () => {});
}

/** What an instance sends, until it is gone or the signal aborts. */
async function* messagesOf(child: ChildProcess, signal?: AbortSignal): AsyncGenerator<FromInstance> {
  for await (const [message] of on(child, 'message', { close: ['exit'], signal }) as AsyncIterable<
    [FromInstance]
  >)
    yield message;
}
