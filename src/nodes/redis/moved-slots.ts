import type { Cluster } from 'ioredis';

/** What ioredis does to follow `MOVED`. @param address The server that has the slot, as another server names it. */
type Follow = (slot: number | string, address: string) => void;

/** What ioredis keeps to itself: it applies `natMap`. */
type NatMapper = (address: string) => { readonly host: string; readonly port: number };

/**
 * Sees to it that ioredis finds its connection to the server that has a slot, also with `natMap`. For a slot that has
 * moved, ioredis stores the address that a server has named, but it stores its connections by the mapped address:
 * without a match, it would ask a random server each time.
 */
export function followMoves(cluster: Cluster): void {
  const handleError = cluster.handleError.bind(cluster);
  cluster.handleError = (error, command, handlers: { moved: Follow }) => {
    const moved: Follow = (slot, address) => {
      const natMapper = Reflect.get(cluster, 'natMapper') as NatMapper | undefined;
      if (!natMapper) return handlers.moved(slot, address);
      const mapped = natMapper.call(cluster, address);
      // ioredis would map the address once more.
      Reflect.set(cluster, 'natMapper', () => mapped);
      try {
        handlers.moved(slot, `${mapped.host}:${mapped.port}`);
      } finally {
        Reflect.set(cluster, 'natMapper', natMapper);
      }
    };
    handleError(error, command, { ...handlers, moved });
  };
}
