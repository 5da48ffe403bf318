import type { LockNode } from '../nodes/lock-node.js';
import { QuorumStore } from './quorum/quorum-store.js';
import { SingleNodeStore } from './single-node-store.js';
import type { Store } from './store.js';
import type { TokenSource } from './token.js';

/** A single node decides alone; several nodes decide by majority. */
export function createStore(nodes: readonly LockNode[], newToken?: TokenSource): Store {
  const [only, ...others] = nodes;
  return only && others.length === 0 ? new SingleNodeStore(only, newToken) : new QuorumStore(nodes, newToken);
}
