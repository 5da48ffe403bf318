import { type ChildProcess, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { InstanceLife } from './conditions.js';
import { clockEnvironment, forgetFakedProcesses } from './faketime.js';
import type { Answer, Crowd, InstanceSpec, Message } from './instance.js';
import { monotonicNow, type Order } from './log.js';

// Run by vitest, this file is TypeScript; the child is plain Node, and always runs the compiled program.
const program = fileURLToPath(
  import.meta.url.endsWith('.ts')
    ? new URL('../../build/test/fleet/instance.js', import.meta.url)
    : new URL('instance.js', import.meta.url),
);

/** How long an instance may take to start, in milliseconds; on a busy machine, many at once take long. */
const START_TIMEOUT = 60_000;
/** How long to wait for an answer to an order, in milliseconds: an instance may be suspended meanwhile. */
const ORDER_TIMEOUT = 10_000;

/** One line that an instance printed. */
export interface OutputLine {
  readonly instance: string;
  readonly at: number;
  readonly text: string;
}

/** One process of a fleet. It never outlives the process that started it. */
export class InstanceProcess {
  readonly output: OutputLine[] = [];
  /** Resolves when the process is gone. */
  readonly gone: Promise<void>;
  private readonly child: ChildProcess;
  private readonly pauses: { from: number; until: number }[] = [];
  private readonly clock: { since: number; ahead: number }[];
  private readyAt = Number.POSITIVE_INFINITY;
  private stoppedAt = Number.POSITIVE_INFINITY;
  private goneAt = Number.POSITIVE_INFINITY;
  private killed = false;
  private lastTicket = 0;
  private guard: ChildProcess | undefined;

  /** @param ahead By how many milliseconds its clock is ahead. */
  constructor(
    readonly spec: InstanceSpec,
    private readonly ahead: number,
  ) {
    this.clock = [{ since: Number.NEGATIVE_INFINITY, ahead }];
    const env = { ...process.env, ...clockEnvironment(ahead), NO_COLOR: '1', INSTANCE: JSON.stringify(spec) };
    // In a process group of its own: Ctrl-C is for the parent, which still needs its instances to judge them.
    const child = spawn(process.execPath, [program], {
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      createInterface(stream).on('line', (text) => {
        this.output.push({ instance: spec.name, at: monotonicNow(), text });
      });
    }
    running.add(child);
    this.gone = once(child, 'exit').then(([, signal]) => this.onExit(signal as NodeJS.Signals | null));
  }

  /** Resolves when the application has started. Rejects when it ends instead. */
  async ready(): Promise<void> {
    const giveUp = new AbortController();
    const outcome = await Promise.race([
      once(this.child, 'message', { signal: giveUp.signal }).then(() => 'ready'),
      this.gone.then(() => 'ended instead of starting'),
      pause(START_TIMEOUT, `did not start within ${START_TIMEOUT} ms`, { signal: giveUp.signal }),
    ]).finally(() => giveUp.abort());
    if (outcome === 'ready') {
      this.readyAt = monotonicNow();
      return;
    }
    await this.kill();
    const output = this.output.map(({ text }) => text).join('\n');
    throw new Error(`Instance ${this.spec.name} ${outcome}\n${output}`);
  }

  get isRunning(): boolean {
    return this.goneAt === Number.POSITIVE_INFINITY;
  }

  get isPaused(): boolean {
    return this.pauses.at(-1)?.until === Number.POSITIVE_INFINITY;
  }

  /** The process is gone at once, and says goodbye to nobody. */
  async kill(): Promise<void> {
    if (this.isRunning) {
      this.stoppedAt = Math.min(this.stoppedAt, monotonicNow());
      this.child.kill('SIGKILL');
    }
    await this.gone;
  }

  /** Asks the application to shut down, as a deployment does, and waits until it has. */
  async terminate(): Promise<void> {
    if (this.isRunning) {
      this.stoppedAt = Math.min(this.stoppedAt, monotonicNow());
      this.child.kill('SIGTERM');
    }
    await this.gone;
  }

  /** Suspends the process: not a line of it runs until `resume`. */
  pause(): void {
    if (!this.isRunning || this.isPaused) return;
    this.guard = guardOf(this.child);
    this.child.kill('SIGSTOP');
    this.pauses.push({ from: monotonicNow(), until: Number.POSITIVE_INFINITY });
  }

  resume(): void {
    const last = this.pauses.at(-1);
    if (last) last.until = Math.min(last.until, monotonicNow());
    this.child.kill('SIGCONT');
    this.guard?.kill('SIGKILL');
  }

  /** Sets its clock: from now on it is this many milliseconds ahead. */
  setClock(ahead: number): void {
    this.clock.push({ since: monotonicNow(), ahead });
    this.tell({ clock: ahead - this.ahead });
  }

  /** Runs many jobs at the same moment, each of them once over the fleet. */
  runCrowd(crowd: Crowd): void {
    this.tell({ crowd });
  }

  /** Gives it an order. Resolves to what became of it (see `Answer`), or to `undefined` if that is not known. */
  async obey(order: Order): Promise<string | undefined> {
    const ticket = ++this.lastTicket;
    const limit = AbortSignal.timeout(ORDER_TIMEOUT);
    const gone = new AbortController();
    void this.gone.then(() => gone.abort());
    this.tell({ order, ticket });
    try {
      for await (const [answer] of on(this.child, 'message', {
        signal: AbortSignal.any([limit, gone.signal]),
      })) {
        if ((answer as Answer).ticket === ticket) return (answer as Answer).outcome;
      }
    } catch {
      // It is gone, or suspended for long.
    }
    return undefined;
  }

  get life(): InstanceLife {
    const { readyAt, stoppedAt, goneAt, killed, pauses, clock } = this;
    const up = { from: readyAt, until: Math.min(stoppedAt, goneAt) };
    const recovering = this.spec.jobs.filter(({ options }) => options?.recover).map(({ name }) => name);
    return {
      name: this.spec.name,
      up,
      goneAt,
      killed,
      pauses: [...pauses],
      recovering,
      clock: [...clock],
    };
  }

  private tell(message: Message): void {
    // It may have been killed, and this process not know yet.
    if (this.child.connected) this.child.send(message, () => {});
  }

  private onExit(signal: NodeJS.Signals | null): void {
    this.goneAt = monotonicNow();
    this.killed = signal === 'SIGKILL';
    running.delete(this.child);
    this.guard?.kill('SIGKILL');
    if (this.ahead !== 0) forgetFakedProcesses();
  }
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** An instance ends when its parent is gone; while it is suspended it cannot, and a small shell does it. */
function guardOf({ pid }: ChildProcess): ChildProcess {
  const script = 'read -r line; kill -9 "$1"';
  return spawn('sh', ['-c', script, 'guard', `${pid}`], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
}
