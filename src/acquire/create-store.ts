import type { Clock } from '../clock.js';
import type { LockNode } from '../nodes/lock-node.js';
import { QuorumStore } from './quorum/quorum-store.js';
import { SingleNodeStore } from './single-node-store.js';
import type { Store } from './store.js';
import type { TokenSource } from './token.js';

/** A single node decides alone; several nodes decide by majority. */
export function createStore(nodes: readonly LockNode[], clock: Clock, newToken?: TokenSource): Store {
  const [only, ...others] = nodes;
  return only && others.length === 0
    ? new SingleNodeStore(only, clock, newToken)
    : new QuorumStore(nodes, clock, newToken);
}
