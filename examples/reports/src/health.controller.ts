import { Controller, Get } from '@nestjs/common';
import { RedlockService, type RunEvent, type SkipReason } from 'nestjs-exclusive';

/** What this instance last did with a job. `tick` is `null` for a job on an interval. */
interface JobHealth {
  lastRun?: { tick: Date | null; state: 'running' | 'finished' | 'failed'; since: Date };
  /** `elsewhere` and `settled` are good news: another instance runs it, or has. */
  lastSkip?: { tick: Date | null; reason: SkipReason; since: Date };
}

/**
 * Answers 200 as long as the process can answer: without Redis its jobs are skipped (`store-down`), and a restart would
 * not mend that.
 */
@Controller('health')
export class HealthController {
  private readonly jobs: Record<string, JobHealth> = {};

  constructor(redlock: RedlockService) {
    for (const [event, state] of [
      ['started', 'running'],
      ['finished', 'finished'],
      ['failed', 'failed'],
    ] as const) {
      redlock.on(event, ({ name, tick }: RunEvent) => {
        this.note(name, { lastRun: { tick, state, since: new Date() } });
      });
    }
    redlock.on('skipped', ({ name, tick, reason }) => {
      this.note(name, { lastSkip: { tick, reason, since: new Date() } });
    });
  }

  @Get()
  health(): { status: 'ok'; jobs: Record<string, JobHealth> } {
    return { status: 'ok', jobs: this.jobs };
  }

  private note(name: string, news: JobHealth): void {
    this.jobs[name] = { ...this.jobs[name], ...news };
  }
}
