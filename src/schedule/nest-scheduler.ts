import type { SchedulerRegistry } from '@nestjs/schedule';
import { hasMethods } from '../has-methods.js';
import type { CronOptions } from './schedule-of.js';

/** The object to which `@nestjs/schedule` passes its decorated methods before it mounts them. Not exported there. */
export interface Orchestrator {
  addCron(method: (...args: unknown[]) => unknown, options: CronOptions): void;
  addInterval(method: (...args: unknown[]) => unknown, every: number, name?: string): void;
  mountIntervals(): void;
}

// Recognized by their methods, not by their class: an application may have two copies of `@nestjs/schedule`.

export function isRegistry(instance: unknown): instance is SchedulerRegistry {
  // A mock has every method, and returns anything.
  return (
    hasMethods(instance, 'addCronJob', 'getCronJobs') &&
    (instance as SchedulerRegistry).getCronJobs() instanceof Map
  );
}

export function isOrchestrator(instance: unknown): instance is Orchestrator {
  return hasMethods(instance, 'addCron', 'addInterval', 'mountIntervals');
}
