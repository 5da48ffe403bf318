import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

/** One line of an application's log, as Nest's JSON logger prints it. */
export interface LogLine {
  readonly level: string;
  /** In milliseconds since the epoch. */
  readonly timestamp: number;
  readonly message: string;
}

export interface InstanceOptions {
  readonly command: readonly [program: string, ...args: string[]];
  readonly cwd: string;
  /** All of its environment, but for the path. */
  readonly env: Record<string, string>;
  readonly port: number;
}

/** One instance of a user's application, as a process. It never outlives the process that started it. */
export class Instance {
  readonly log: LogLine[] = [];
  /** What it printed past its logger. */
  readonly otherOutput: string[] = [];
  /** Resolves once the process is gone and all that it printed is read: to its exit code, or the signal that ended it. */
  readonly gone: Promise<number | NodeJS.Signals>;
  private readonly url: string;
  private readonly child: ChildProcess;

  constructor({ command: [program, ...args], cwd, env, port }: InstanceOptions) {
    this.url = `http://127.0.0.1:${port}`;
    const child = spawn(program, args, {
      cwd,
      env: { PATH: process.env['PATH'], ...env, PORT: `${port}` },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (text) => this.read(text));
    }
    const guard = guardOf(child);
    this.gone = once(child, 'close').then(([code, signal]) => {
      guard.kill('SIGKILL');
      return (signal ?? code) as number | NodeJS.Signals;
    });
  }

  /** Resolves when the application answers there. Rejects when it ends instead. */
  async ready(path: string): Promise<void> {
    const ended = this.gone.then((how) => {
      const output = [...this.log.map(({ message }) => message), ...this.otherOutput].join('\n');
      throw new Error(`The application ended with ${how} instead of starting\n${output}`);
    });
    while (!(await Promise.race([this.answers(path), ended]))) await pause(50);
    // It ends at some time.
    ended.catch(() => {});
  }

  fetch(path: string, request?: RequestInit): Promise<Response> {
    return fetch(this.url + path, request);
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  private answers(path: string): Promise<boolean> {
    return this.fetch(path).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  private read(text: string): void {
    try {
      this.log.push(JSON.parse(text) as LogLine);
    } catch {
      this.otherOutput.push(text);
    }
  }
}

/** A small shell, which ends the process when the pipe to this one closes, however this one ended. */
function guardOf({ pid }: ChildProcess): ChildProcess {
  return spawn('sh', ['-c', 'read -r line; kill -9 "$1"', 'guard', `${pid}`], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
}
