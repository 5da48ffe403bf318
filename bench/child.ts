import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A process of the benchmark. It must exit when it is disconnected. */
export class Child<Order extends object, Answer> {
  private readonly process: ChildProcess;
  private readonly ended: Promise<never>;

  /** @param program The compiled program, relative to this file. */
  constructor(program: string, args: readonly string[]) {
    this.process = fork(fileURLToPath(new URL(program, import.meta.url)), args);
    this.ended = once(this.process, 'exit').then(([code]) => {
      throw new Error(`${program} ended with ${String(code)}`);
    });
    this.ended.catch(() => {});
  }

  /** The next message. Rejects if the process ends instead. */
  answer(): Promise<Answer> {
    return Promise.race([once(this.process, 'message').then(([message]) => message as Answer), this.ended]);
  }

  ask(order: Order): Promise<Answer> {
    this.process.send(order);
    return this.answer();
  }

  async stop(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended.catch(() => {});
  }
}
