import type { LockNode } from './lock-node.js';
import { Quorum } from './quorum.js';
import { SoleNode } from './sole-node.js';
import type { Store } from './store.js';
import type { TokenSource } from './token.js';

/** One node decides by itself, several by their majority. */
export function createStore(nodes: readonly LockNode[], newToken?: TokenSource): Store {
  const [only, ...others] = nodes;
  return only && others.length === 0 ? new SoleNode(only, newToken) : new Quorum(nodes, newToken);
}
