import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Redis } from 'ioredis';
import type { CurrentRun } from 'nestjs-exclusive';

export const url = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';

/** Records in Redis what the jobs do. */
@Injectable()
export class Ledger implements OnModuleDestroy {
  private readonly redis = new Redis(url);

  /** Records a run by its fencing token, which is its tick. */
  async note({ name, fencingToken }: CurrentRun): Promise<void> {
    await this.add(`runs of ${name}`, String(fencingToken));
  }

  async add(list: string, ...entries: string[]): Promise<void> {
    if (entries.length > 0) await this.redis.rpush(list, ...entries);
  }

  onModuleDestroy(): void {
    this.redis.disconnect();
  }
}
