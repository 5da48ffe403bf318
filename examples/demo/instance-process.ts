/** An instance of the application as a process of its own, seen from outside. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('instance.js', import.meta.url));

export interface InstanceSettings {
  /** Whether its job has `@Exclusive`. */
  readonly guarded: boolean;
  readonly redisUrls: readonly string[];
  readonly keyPrefix: string;
  /** Called each time the job begins, with the time in milliseconds. */
  readonly onRun: (at: number) => void;
  /** Called with each warning in the instance's log. */
  readonly onWarning: (text: string) => void;
}

/** What `instance.ts` sends. */
type Message = { page: string } | { ranAt: number } | { warning: string };

export class InstanceProcess {
  alive = true;
  /** The address of its dashboard. */
  page = '';

  private constructor(
    readonly name: string,
    private readonly child: ChildProcess,
  ) {
    child.once('exit', (code, signal) => {
      if (this.alive) throw new Error(`Instance ${name} ended by itself: ${signal ?? `exit code ${code}`}`);
    });
    process.once('exit', () => child.kill('SIGKILL'));
  }

  /** Resolves when the application is up. */
  static async start(name: string, settings: InstanceSettings): Promise<InstanceProcess> {
    const child = fork(PROGRAM, {
      env: {
        ...process.env,
        REDIS_URLS: settings.redisUrls.join(','),
        INSTANCE: name,
        KEY_PREFIX: settings.keyPrefix,
        GUARDED: settings.guarded ? 'yes' : 'no',
      },
      // In a process group of its own: Ctrl-C is for the demonstration, which then ends its instances.
      detached: true,
    });
    const instance = new InstanceProcess(name, child);
    await new Promise<void>((resolve) => {
      child.on('message', (message: Message) => {
        if ('ranAt' in message) return settings.onRun(message.ranAt);
        if ('warning' in message) return settings.onWarning(message.warning);
        instance.page = message.page;
        return resolve();
      });
    });
    return instance;
  }

  /** As if its machine lost power. Resolves when the process is gone, and all that it said has been heard. */
  async kill(): Promise<void> {
    if (!this.alive) return;
    this.alive = false;
    this.child.kill('SIGKILL');
    await once(this.child, 'close');
  }
}
