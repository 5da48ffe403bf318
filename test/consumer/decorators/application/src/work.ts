import { Injectable } from '@nestjs/common';
import { type CurrentRun, RedlockService } from 'nestjs-exclusive';
import { Ledger } from './ledger.js';

/** What the jobs do: they record their runs. */
@Injectable()
export class Work {
  private readonly attempts = new Map<string, number>();

  constructor(
    private readonly ledger: Ledger,
    private readonly redlock: RedlockService,
  ) {}

  async done(): Promise<void> {
    await this.ledger.note(this.run);
  }

  /** Records an attempt. @returns How many attempts this instance has begun in this tick. */
  async begun(): Promise<number> {
    const { name, fencingToken, instanceId } = this.run;
    const attempts = (this.attempts.get(`${name} ${fencingToken}`) ?? 0) + 1;
    this.attempts.set(`${name} ${fencingToken}`, attempts);
    await this.ledger.add(`attempts of ${name}`, `${fencingToken} on ${instanceId}`);
    return attempts;
  }

  private get run(): CurrentRun {
    const run = this.redlock.current();
    if (!run) throw new Error('There is no run');
    return run;
  }
}
