import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { PeerMessage, PeerSpec } from './peer.js';

const PROGRAM = fileURLToPath(new URL('../../build/test/services/peer.js', import.meta.url));

/** Another instance of the fleet, in a process that can be killed. */
export class Peer {
  readonly messages: PeerMessage[] = [];

  private constructor(private readonly child: ChildProcess) {
    child.on('message', (message) => {
      if (message !== 'ready') this.messages.push(message as PeerMessage);
    });
  }

  /** Resolves when its application has started. It is killed after the test. */
  static async start(spec: PeerSpec): Promise<Peer> {
    const child = fork(PROGRAM, { env: { ...process.env, PEER: JSON.stringify(spec) }, execArgv: [] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const peer = new Peer(child);
    const end = once(child, 'exit').then(([code]) =>
      Promise.reject(new Error(`The peer ended with ${code}`)),
    );
    end.catch(() => {});
    await Promise.race([once(child, 'message'), end]);
    return peer;
  }

  /** The ticks of the events of one kind, in milliseconds since the epoch. */
  ticks(event: PeerMessage['event']): (number | null)[] {
    return this.messages.filter((message) => message.event === event).map(({ tick }) => tick);
  }

  /** Waits until there has been such an event. */
  async has(event: PeerMessage['event']): Promise<void> {
    while (this.ticks(event).length === 0) await once(this.child, 'message');
  }

  /** No farewell, as when the machine loses power. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }
}
