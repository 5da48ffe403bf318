import type { Clock } from '../clock.js';
import { quoted } from '../display.js';
import { StoreDownError } from '../errors.js';
import { askAll } from '../nodes/ask-all.js';
import type { Pause } from '../nodes/job-view.js';
import type { LockNode } from '../nodes/lock-node.js';
import { isInForce, isNewer, newestOf } from '../nodes/pause-order.js';
import { majorityOf } from './quorum/tally.js';

/**
 * The pause of a job as one value on all nodes, of which a minority may fail. A write reads the newest version from a
 * majority first, and writes a newer one to a majority. Any two majorities share a node, so each majority contains one
 * that knows the newest version.
 *
 * Attiya, Bar-Noy and Dolev, "Sharing Memory Robustly in Message-Passing Systems" (1995).
 */
export class ReplicatedPauses {
  constructor(
    private readonly nodes: readonly LockNode[],
    private readonly clock: Clock,
  ) {}

  /**
   * Writes a pause, or the end of one.
   *
   * @param name The name of the job, for the error.
   * @param valueAfter Returns what to write, given the newest value that any node of a majority knows.
   * @throws StoreDownError if no majority of the nodes has confirmed it. The pause may take effect anyway.
   */
  async write(
    name: string,
    key: string,
    valueAfter: (known: Pause | undefined) => Omit<Pause, 'version'>,
  ): Promise<void> {
    const what = `${valueAfter(undefined).isPaused ? 'pause' : 'resume'} ${quoted(name)} on a majority of the nodes`;
    const known = newestOf(await this.askMajority(what, name, (node) => node.pause(key)));
    const version = Math.max(this.clock.now(), 1 + (known?.version ?? 0));
    const pause: Pause = { ...valueAfter(known), version };
    await this.askMajority(`${what}: it may take effect later`, name, (node) => node.pause(key, pause));
  }

  /**
   * Tells the nodes the newest value that is known: asks all nodes, takes the newest value in the first answers of a
   * majority, and writes it to each node that knows none or an older one. Resolves when a majority has the value, or no
   * more answers come. It does not wait for the other nodes: a silent one could delay the claim that needs the repair
   * past the next tick.
   *
   * @param isPaused What a majority has decided, if it has. A value that says otherwise is not written: a majority has
   * lost that value, and one node must not bring it back.
   */
  async repair(key: string, isPaused?: boolean): Promise<void> {
    const majority = majorityOf(this.nodes.length);
    const asked = this.nodes.map((node) => node.pause(key));
    const tell = (newest: Pause | undefined): Promise<void>[] =>
      this.nodes.map(async (node, index) => {
        const known = await asked[index];
        if (isPaused !== undefined && isPaused !== isInForce(newest, this.clock.now())) return;
        if (newest && (!known || isNewer(newest, known))) await node.pause(key, newest);
      });
    await firstOf(tell(newestOf(await firstOf(asked, majority))), majority);
    // A slow node may know a newer one, if others have lost their data.
    void firstOf(asked, asked.length).then((known) => Promise.allSettled(tell(newestOf(known))));
  }

  private async askMajority<Answer>(
    what: string,
    name: string,
    ask: (node: LockNode) => Promise<Answer>,
  ): Promise<Answer[]> {
    const { answers, causes } = await askAll(this.nodes, ask);
    if (answers.length >= majorityOf(this.nodes.length)) return answers;
    throw new StoreDownError(name, causes, `Could not ${what}`);
  }
}

/** The first answers: as many as are enough, or all if fewer come. */
function firstOf<Answer>(asked: readonly Promise<Answer>[], enough: number): Promise<Answer[]> {
  return new Promise((resolve) => {
    const answers: Answer[] = [];
    const answered = asked.map(async (each) => {
      answers.push(await each);
      if (answers.length === enough) resolve([...answers]);
    });
    void Promise.allSettled(answered).then(() => resolve(answers));
  });
}
