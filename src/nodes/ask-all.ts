import { errorOf } from '../errors.js';
import type { LockNode } from './lock-node.js';

/** Asks all nodes at once. Resolves to their answers, and the errors of the nodes that gave none. */
export async function askAll<Answer>(
  nodes: readonly LockNode[],
  ask: (node: LockNode) => Promise<Answer>,
): Promise<{ answers: Answer[]; causes: Error[] }> {
  const answers: Answer[] = [];
  const causes: Error[] = [];
  for (const result of await Promise.allSettled(nodes.map(ask))) {
    if (result.status === 'fulfilled') answers.push(result.value);
    else causes.push(errorOf(result.reason));
  }
  return { answers, causes };
}
