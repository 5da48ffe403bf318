import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { SchedulerRegistry } from '@nestjs/schedule';
import type { CronJob } from 'cron';
import { hasMethods } from '../has-methods.js';
import type { CronOptions } from './schedule-of.js';

/** The object to which `@nestjs/schedule` passes its decorated methods before it mounts them. Not exported there. */
export interface Orchestrator {
  addCron(method: (...args: unknown[]) => unknown, options: CronOptions): void;
  addInterval(method: (...args: unknown[]) => unknown, every: number, name?: string): void;
  mountIntervals(): void;
}

// Recognized by what they have, not by their class: an application may have two copies of `@nestjs/schedule`. Methods
// alone are not enough: a service of the application may have some of the same names, or be a proxy that has any.

export function isRegistry({ token, instance }: Pick<InstanceWrapper, 'token' | 'instance'>): boolean {
  if (!hasMethods(instance, 'addCronJob', 'getCronJobs')) return false;
  // A test may provide a mock of the registry. A mock has every method, and returns anything.
  if (typeof token === 'function' && token.name === SchedulerRegistry.name)
    return (instance as SchedulerRegistry).getCronJobs() instanceof Map;
  return ['cronJobs', 'intervals', 'timeouts'].every((field) => read(instance, field) instanceof Map);
}

export function isOrchestrator(instance: unknown): instance is Orchestrator {
  return (
    hasMethods(instance, 'addCron', 'addInterval', 'mountIntervals') &&
    ['schedulerRegistry', 'cronJobs', 'intervals'].every((field) => typeof read(instance, field) === 'object')
  );
}

/** A registry takes any object that has `fireOnTick`. */
export function isCronJob(job: unknown): job is CronJob {
  return hasMethods(job, 'fireOnTick') && typeof read(job, 'cronTime') === 'object';
}

function read(object: unknown, key: string): unknown {
  try {
    return Reflect.get(object as object, key);
  } catch {
    return undefined;
  }
}
