import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { systemClock, type Timer } from '../clock.js';
import { type ExclusiveMethod, methodsOf, placeOf } from '../decorators/exclusive-method.js';
import { InvalidOptionError } from '../errors.js';
import { MODULE } from '../checks.js';
import { currentFiring } from '../schedule/firing.js';
import type { ExclusiveJobs } from './exclusive-jobs.service.js';
import { SchedulerFirings } from './scheduler-firings.service.js';

/** What a binding needs of `ExclusiveJobs`, which is created later: its class depends on the options. */
type Jobs = Pick<ExclusiveJobs, 'isEnabled' | 'isOpen' | 'isInRun' | 'call'>;

/** How long a call waits for the options before the log says so, in milliseconds. */
const PATIENCE = 5000;

/** The property with the mark of an object. */
const MARK = Symbol('nestjs-exclusive');

/** The mark of an object into which a test has injected a mock. */
export const MOCKED = Symbol('mocked');

/** The binding of each mark. */
const bindings = new WeakMap<symbol, Binding>();

/** The marks of an object, newest first, if it is frozen or sealed, or if `bindAll` has bound it. */
const marks = new WeakMap<object, readonly symbol[]>();

/**
 * What Nest injects into each object with a decorated method: it leads to the jobs of the application. It does not
 * depend on the options, because these may come from such an object. It depends on `SchedulerFirings`, because such an
 * object may start a cron job.
 */
@Injectable()
export class Binding implements OnModuleInit {
  /** Left in the objects. A symbol stays the same in clones and proxies; a deep clone would copy an object. */
  readonly mark = Symbol('bound');
  private readonly logger = new Logger('RedlockModule');
  private jobs: Jobs | undefined;
  private readonly waiting: ((jobs: Jobs) => void)[] = [];
  private warning: Timer | undefined;
  /** The objects that this binding has bound. */
  private readonly bound = new WeakSet<object>();

  constructor(
    private readonly firings: SchedulerFirings,
    private readonly discovery: DiscoveryService,
  ) {
    bindings.set(this.mark, this);
  }

  /** Called when the options exist. */
  fill(jobs: Jobs): void {
    this.jobs = jobs;
    systemClock.clearTimeout(this.warning);
    for (const resolve of this.waiting.splice(0)) resolve(jobs);
  }

  /**
   * By now, all providers have been created, except those that Nest creates for each request.
   *
   * @throws InvalidOptionError if the options depend on such a provider: then no hook of `Lifecycle` would be
   * called.
   */
  onModuleInit(): void {
    this.firings.onLoad.push(() => this.bindAll());
    if (this.jobs) return;
    throw new InvalidOptionError(
      MODULE,
      'options',
      'cannot depend on a request-scoped provider, not even through another provider, because jobs run outside ' +
        'requests: inject only what has the default scope into forRootAsync()',
    );
  }

  /** Binds all objects with decorated methods. */
  bindAll(): void {
    for (const wrapper of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      const instance = wrapper.instance as object;
      if (methodsOf(instance).length > 0 && !this.bound.has(instance)) this.bind(instance);
    }
  }

  /**
   * Adds the mark of this binding to those of an object. Nest may have injected no binding into the object (if a
   * factory returned it), or only that of another application.
   */
  private bind(instance: object): void {
    this.bound.add(instance);
    const others = (marks.get(instance) ?? []).filter(
      (mark) => mark !== this.mark && bindings.get(mark)?.isOpen,
    );
    marks.set(instance, [this.mark, ...others]);
  }

  /** Runs a call of a decorated method, once the options exist. */
  call(method: ExclusiveMethod, instance: object, args: never[]): unknown {
    if (this.jobs) return this.jobs.call(method, instance, args);
    return this.filled(method, instance).then((jobs) => jobs.call(method, instance, args));
  }

  /** Whether this binding, and not that of another import of the module by the application, guards this object. */
  guards(instance: object): boolean {
    const binding = bindingOf(instance);
    return binding === this || !(binding instanceof Binding) || binding.application !== this.application;
  }

  get isOpen(): boolean {
    return this.jobs?.isOpen ?? true;
  }

  get isEnabled(): boolean {
    return this.jobs?.isEnabled ?? true;
  }

  /** Stands for the application that imports the module. */
  get application(): object {
    return this.firings.application;
  }

  /** Whether the current call is made in a firing of this application, or, outside any firing, in one of its runs. */
  get isCaller(): boolean {
    const origin = currentFiring()?.origin;
    return origin ? origin === this.application : (this.jobs?.isInRun ?? false);
  }

  private filled({ key }: ExclusiveMethod, instance: object): Promise<Jobs> {
    // Not unreferenced: it may be all that keeps the process alive.
    this.warning ??= systemClock.setTimeout(() => {
      this.logger.warn(
        `A call of ${placeOf(instance, key)} waits for the options of RedlockModule: does forRootAsync wait for the call?`,
      );
    }, PATIENCE);
    return new Promise((resolve) => void this.waiting.push(resolve));
  }
}

/** Binds an object to what Nest injects into it: a `Binding`, perhaps wrapped in a proxy by a tracer, or a mock. */
export function inject(instance: object, injected: unknown): void {
  // Code that copies the members of a class reads the injected property (see `INJECTED` in `exclusive.decorator.ts`)
  // from the prototype, gets `undefined`, and assigns it.
  if (injected === undefined) return;
  const { mark } = Object(injected) as { readonly mark?: unknown };
  const value = typeof mark === 'symbol' && bindings.has(mark) ? mark : MOCKED;
  const property = { value, configurable: true, enumerable: true, writable: true };
  // An object that is frozen or sealed takes no property.
  if (!Reflect.defineProperty(instance, MARK, property)) marks.set(instance, [value]);
}

/**
 * The binding that a call of a method of this object uses. If several applications share the object, this is the
 * binding of the caller, or else, if possible, one that guards the call.
 */
export function bindingOf(instance: unknown): Binding | typeof MOCKED | undefined {
  const mark: unknown = Reflect.get(Object(instance) as object, MARK);
  const started = marks.get(instance as object);
  // Usually, only one application has injected into the object, and it has started.
  if (started?.length === 1 && started[0] === mark) return bindings.get(mark as symbol);
  const found = marksOf(instance, mark);
  const [first, ...others] = [...found].flatMap((each) => bindings.get(each) ?? []);
  if (!first) return found.has(MOCKED) ? MOCKED : undefined;
  if (others.length === 0) return first;
  const all = [first, ...others];
  const best =
    all.find(({ isCaller }) => isCaller) ??
    all.find(({ isOpen, isEnabled }) => isOpen && isEnabled) ??
    all.find(({ isOpen }) => isOpen) ??
    first;
  // If one application imports the module several times, the binding that Nest injected counts.
  return best.application === first.application ? first : best;
}

function marksOf(instance: unknown, mark: unknown): Set<symbol> {
  const found = new Set<symbol>();
  if (typeof mark === 'symbol') found.add(mark);
  let each: unknown = instance;
  while (typeof each === 'object' && each !== null) {
    for (const other of marks.get(each) ?? []) found.add(other);
    each = Object.getPrototypeOf(each);
  }
  return found;
}
