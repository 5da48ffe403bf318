import { Injectable } from '@nestjs/common';
import { SchedulerFirings } from '../services/scheduler-firings.service.js';

/** Lets no job fire before `StoppedScheduler` has stopped it. */
@Injectable()
export class StoppedFirings extends SchedulerFirings {
  protected override fireEarly(): void {}
}
