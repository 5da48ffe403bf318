import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A process of the benchmark, which is told things and answers each of them once. */
export class Child<Order extends object, Answer> {
  private readonly process: ChildProcess;

  /** @param program The compiled program, relative to this file. */
  constructor(program: string, args: readonly string[] = [], nodeArgs: readonly string[] = []) {
    const path = fileURLToPath(new URL(program, import.meta.url));
    this.process = fork(path, [...args], { execArgv: [...process.execArgv, ...nodeArgs] });
    running.add(this.process);
    this.process.once('exit', () => running.delete(this.process));
  }

  /** The next answer. Rejects if the process ends instead. */
  async answer(): Promise<Answer> {
    const done = new AbortController();
    const { signal } = done;
    try {
      return await Promise.race([
        once(this.process, 'message', { signal }).then(([message]) => message as Answer),
        once(this.process, 'exit', { signal }).then(([code]) => {
          throw new Error(`${this.process.spawnfile} ended with ${String(code)}`);
        }),
      ]);
    } finally {
      done.abort();
    }
  }

  ask(order: Order): Promise<Answer> {
    const answer = this.answer();
    this.process.send(order);
    return answer;
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await gone;
  }
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
