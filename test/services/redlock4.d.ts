/** The part of redlock 4 that the recipe uses. */
declare module 'redlock4' {
  import type { Redis } from 'ioredis';

  export default class Redlock {
    constructor(clients: Redis[], options: { retryCount: number; retryDelay?: number });
    lock(resource: string, ttl: number): Promise<{ unlock(): Promise<void> }>;
  }
}
