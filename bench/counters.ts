import type { Redis } from 'ioredis';
import type { RedisServer } from '../test/engine/redis-server.js';
import { closeAll, connectTo } from './connections.js';

/** What some servers have done, all of them together. */
export interface Counters {
  /** Commands that clients sent. */
  readonly sent: number;
  /** Commands that scripts called. */
  readonly inside: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Of the processors, in milliseconds. */
  readonly cpu: number;
}

/** What our scripts, and those of redlock, call. Anything else that a server counts was sent by a client. */
const CALLED_BY_SCRIPTS = new Set(['get', 'set', 'del', 'exists', 'incr', 'pexpire', 'pttl', 'time']);
/** What this file sends. */
const OURS = new Set(['info']);

/** Reads the counters of servers, by `INFO`. */
export class CounterReader {
  private constructor(private readonly clients: readonly Redis[]) {}

  static async open(servers: readonly RedisServer[]): Promise<CounterReader> {
    return new CounterReader(await connectTo(servers));
  }

  /** What the servers do meanwhile. @param scripted Whether clients send nothing but scripts. */
  async during<T>(
    work: () => Promise<T>,
    scripted: boolean,
  ): Promise<{ readonly result: T; readonly counters: Counters }> {
    const before = await this.read(scripted);
    const result = await work();
    const after = await this.read(scripted);
    const counters = {
      sent: after.sent - before.sent,
      inside: after.inside - before.inside,
      bytesIn: after.bytesIn - before.bytesIn,
      bytesOut: after.bytesOut - before.bytesOut - before.length,
      cpu: after.cpu - before.cpu,
    };
    return { result, counters };
  }

  /** Of each server, how many bytes of memory it uses. */
  async memory(): Promise<number[]> {
    const infos = await Promise.all(this.clients.map((client) => client.info('memory')));
    return infos.map((info) => fieldOf(info, 'used_memory'));
  }

  close(): Promise<void> {
    return closeAll(this.clients);
  }

  private async read(scripted: boolean): Promise<Counters & { readonly length: number }> {
    const infos = await Promise.all(this.clients.map((client) => client.info('all')));
    const sum = { sent: 0, inside: 0, bytesIn: 0, bytesOut: 0, cpu: 0, length: 0 };
    for (const info of infos) {
      for (const [, name = '', calls] of info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
        if (OURS.has(name)) continue;
        if (scripted && CALLED_BY_SCRIPTS.has(name)) sum.inside += Number(calls);
        else sum.sent += Number(calls);
      }
      sum.bytesIn += fieldOf(info, 'total_net_input_bytes');
      sum.bytesOut += fieldOf(info, 'total_net_output_bytes');
      sum.cpu += 1000 * (fieldOf(info, 'used_cpu_user') + fieldOf(info, 'used_cpu_sys'));
      // The answer itself is counted only by the next one.
      sum.length += Buffer.byteLength(info);
    }
    return sum;
  }
}

function fieldOf(info: string, name: string): number {
  return Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1] ?? Number.NaN);
}
