import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { RESOLVED_OPTIONS } from '../redlock.module-definition.js';
import type { ResolvedOptions } from '../redlock.options.js';
import { Leases } from './leases.service.js';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** At shutdown: no new claims, then up to `shutdownTimeout` for the runs in progress. Another signal ends the wait. */
@Injectable()
export class Shutdown implements OnModuleDestroy {
  constructor(
    @Inject(RESOLVED_OPTIONS) private readonly options: ResolvedOptions,
    private readonly leases: Leases,
  ) {}

  async onModuleDestroy(): Promise<void> {
    this.leases.close();
    const hurry = new AbortController();
    const onSignal = (): void => hurry.abort();
    for (const signal of SIGNALS) process.on(signal, onSignal);
    await this.leases.drain(this.options.shutdownTimeout, hurry.signal);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}
