import { redacted } from '../display.js';
import { InvalidOptionError } from '../errors.js';
import { MemoryNode } from '../nodes/memory-node.js';
import { MODULE, readOrRefuse } from '../checks.js';
import { nodeEntry } from './node-entry.js';
import type { NodeEntry } from './options.js';

/** The entries of the option `nodes`. Throws `InvalidOptionError` if they cannot vote together. */
export function nodeEntries(nodes: unknown): NodeEntry[] {
  if (nodes === undefined && process.env['NODE_ENV'] === 'production') {
    throw new InvalidOptionError(
      MODULE,
      'nodes',
      "must be set when NODE_ENV is production: to the Redis that all instances share, such as 'redis://10.1.1.1:6379', or to 'memory' if there is only one instance",
    );
  }
  if (nodes !== undefined && nodes !== 'memory') {
    return readOrRefuse(MODULE, 'nodes', () => checkedEntries(nodes));
  }
  // No `BoundedNode`: memory always answers at once.
  const memory = new MemoryNode();
  return [{ place: memory, store: memory, create: () => memory }];
}

function checkedEntries(nodes: unknown): NodeEntry[] {
  const given: readonly unknown[] = Array.isArray(nodes) ? nodes : [nodes];
  const places = new Map<unknown, number>();
  const entries = Array.from(given, (node, index) => {
    const option = `nodes[${index}]`;
    const entry = readOrRefuse(MODULE, option, () => nodeEntry(option, node));
    const { place } = entry;
    const twin = places.get(place);
    if (twin !== undefined) {
      const what = typeof place === 'string' ? `(${redacted(place)}) ` : '';
      throw new InvalidOptionError(
        MODULE,
        option,
        `${what}is the same server as nodes[${twin}], and a server has one vote: use independent servers, each once`,
      );
    }
    places.set(place, index);
    return entry;
  });
  if (entries.length > 0) return entries;
  throw new InvalidOptionError(
    MODULE,
    'nodes',
    "must contain at least one node, such as 'redis://10.1.1.1:6379', or be 'memory'",
    { received: nodes },
  );
}

/** Whether two lists of nodes keep the same locks. */
export function isSameStore(one: readonly NodeEntry[], other: readonly NodeEntry[]): boolean {
  return one.length === other.length && one.every(({ store }, index) => store === other[index]?.store);
}
