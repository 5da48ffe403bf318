import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { Redis } from 'ioredis';

/** What had been sold at a tick; money in cents. */
export interface Report {
  readonly tick: string;
  readonly orders: number;
  readonly revenue: number;
  /** The instance that wrote it. */
  readonly instanceId: string;
}

/** How many reports are kept. */
const KEEP = 100;

/**
 * Stores a ranking unless there is one of a newer tick. One of the same tick is replaced: it comes from a run that was
 * taken over.
 */
const SAVE_RANKING = `
  local newest = tonumber(redis.call('HGET', KEYS[1], 'tick'))
  if newest and newest > tonumber(ARGV[1]) then return 0 end
  redis.call('HSET', KEYS[1], 'tick', ARGV[1], 'customers', ARGV[2])
  return 1
`;

/** The data of the application: in yours, most likely in a database; here in the Redis that is there anyway. */
@Injectable()
export class Store implements OnApplicationShutdown {
  private readonly logger = new Logger(Store.name);
  private readonly redis: Redis;

  constructor(config: ConfigService) {
    this.redis = new Redis(config.getOrThrow<string>('REDIS_URL'));
    this.redis.on('error', (error) => this.logger.warn(`Redis: ${error.message}`));
  }

  /** Not in `onModuleDestroy`: requests over HTTP may still need it. */
  async onApplicationShutdown(): Promise<void> {
    await this.redis.quit();
  }

  async addOrder(customer: string, amount: number): Promise<void> {
    await this.redis
      .multi()
      .hincrby('totals', 'orders', 1)
      .hincrby('totals', 'revenue', amount)
      .zincrby('customers', amount, customer)
      .exec();
  }

  async totals(): Promise<{ orders: number; revenue: number }> {
    const [orders, revenue] = await this.redis.hmget('totals', 'orders', 'revenue');
    return { orders: Number(orders), revenue: Number(revenue) };
  }

  /** The ten best, best first. */
  customers(): Promise<string[]> {
    return this.redis.zrevrange('customers', 0, 9);
  }

  async addReport(report: Report): Promise<void> {
    await this.redis.lpush('reports', JSON.stringify(report));
  }

  /** The newest first. */
  async reports(): Promise<Report[]> {
    const reports = await this.redis.lrange('reports', 0, KEEP - 1);
    return reports.map((report) => JSON.parse(report) as Report);
  }

  /** Resolves to how many it removed. */
  async removeOldReports(): Promise<number> {
    const count = await this.redis.llen('reports');
    await this.redis.ltrim('reports', 0, KEEP - 1);
    return Math.max(0, count - KEEP);
  }

  /** Resolves to whether it was stored. */
  async saveRanking(customers: string[], fencingToken: number): Promise<boolean> {
    const stored = await this.redis.eval(SAVE_RANKING, 1, 'ranking', fencingToken, JSON.stringify(customers));
    return stored === 1;
  }

  async ranking(): Promise<{ tick: Date; customers: string[] } | null> {
    const { tick, customers } = await this.redis.hgetall('ranking');
    return tick && customers ? { tick: new Date(Number(tick)), customers: JSON.parse(customers) } : null;
  }
}
