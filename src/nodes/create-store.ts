import type { LockNode } from './lock-node.js';
import { Quorum } from './quorum.js';
import { SoleNode } from './sole-node.js';
import type { Store } from './store.js';

/** One node decides by itself, several by their majority. */
export function createStore(nodes: readonly LockNode[]): Store {
  const [only, ...others] = nodes;
  return only && others.length === 0 ? new SoleNode(only) : new Quorum(nodes);
}
