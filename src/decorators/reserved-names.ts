import { Logger } from '@nestjs/common';
import { quoted } from '../display.js';
import { InvalidOptionError } from '../errors.js';
import type { Schedule } from '../schedule/schedule-of.js';
import { type ExclusiveMethod, placeOf } from './exclusive-method.js';
import { nameOf } from './job-name.js';

interface Owner {
  readonly method: ExclusiveMethod;
  readonly instance: object;
}

/** Reserves the names of the jobs of an application: no two jobs may share one. */
export class ReservedNames {
  private readonly logger = new Logger('RedlockModule');
  private readonly owners = new Map<string, Owner>();

  /**
   * Reserves the name of a method, unless the name depends on the arguments of a call.
   *
   * @throws InvalidOptionError if another job has the name, or if it is a default name that differs in each process.
   */
  reserve(method: ExclusiveMethod, instance: object, schedule: Schedule): void {
    if (typeof method.name === 'function') return;
    const name = nameOf(method, instance, []);
    const place = placeOf(instance, method.key);
    const isDefault = method.name === undefined;
    if (isDefault && isOfMixin(instance.constructor.name)) {
      throw new InvalidOptionError(
        `@Exclusive on ${place}`,
        'name',
        `is needed: mixin() gives the class another name in each process, so with the default name, every instance would ` +
          `run ${String(method.key)}(): name the job, as in @Exclusive('report')`,
      );
    }
    if (isNameless({ method, instance })) {
      this.logger.warn(
        `The class of ${quoted(name)} has no name, as when a class decorator returns an anonymous class, so another job ` +
          `can get the same name: name the job, as in @Exclusive('report')`,
      );
    } else if (isDefault && looksMinified(instance.constructor.name)) {
      this.logger.warn(
        `The default job name ${quoted(name)} looks minified. Two builds can give a job different names, and run its ticks ` +
          `twice: name the job, as in @Exclusive('report'), or keep class names in the bundle`,
      );
    }
    const other = this.owners.get(name);
    this.owners.set(name, { method, instance });
    if (!other) return;
    const isSameMethod =
      other.instance.constructor === instance.constructor && other.method.key === method.key;
    if (!isSameMethod) {
      throw new InvalidOptionError(
        `@Exclusive on ${place}`,
        'name',
        `${quoted(name)} is already used by ${placeOf(other.instance, other.method.key)}, and the two would take each other's ticks: ${remedyFor({ method, instance }, other)}`,
      );
    }
    // Two objects of a class may share a name, unless the method has a cron or interval schedule: each tick would run
    // on only one of them.
    if (other.instance === instance || (schedule.kind !== 'cron' && schedule.kind !== 'interval')) return;
    throw new InvalidOptionError(
      `@Exclusive on ${place}`,
      'name',
      `${quoted(name)} is used by two objects of that class, and only one of them would run each tick: provide the class ` +
        'once (useExisting gives it a second token), or derive the name of the job from the object, as ' +
        'in @Exclusive(function () { return `export:${this.tenant}`; })',
    );
  }
}

/** Whether a job has the default name, although its class has no name. */
function isNameless({ method, instance }: Owner): boolean {
  return method.name === undefined && instance.constructor.name === '';
}

/** What to do about a name that two methods share, or that two classes inherit. */
function remedyFor(owner: Owner, { method }: Owner): string {
  if (isNameless(owner)) {
    return "their classes have no name, so name the jobs, as in @Exclusive('report'), or the classes";
  }
  if (owner.method === method) {
    return (
      'both inherit one method, so omit the name (the default is ClassName.method), or derive the name of the job ' +
      'from the object, as in @Exclusive(function () { return `report:${this.constructor.name}`; })'
    );
  }
  const isDefault = owner.method.name === undefined;
  return `name each method differently${isDefault ? ', or keep class names if the bundle is minified' : ''}`;
}

/** Whether a class name looks minified: one or two characters, or three that are not a word. */
function looksMinified(name: string): boolean {
  return name.length <= 2 || (name.length === 3 && !/^[A-Z][a-z]+$|^[A-Z]+$/.test(name));
}

/** Whether `mixin()` of Nest has named the class: at random, and so differently in each process. */
function isOfMixin(name: string): boolean {
  return /^[0-9a-f]{21}$/.test(name);
}
