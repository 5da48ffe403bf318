import { AsyncLocalStorage } from 'node:async_hooks';
import type { Duration } from '../options/duration.js';
import type { ResolvedOptions } from '../options/options.js';
import { currentFiring, type Firing, outsideFirings } from '../schedule/firing.js';

/** What a running job can learn about itself. */
export interface CurrentRun {
  /** Identifies this run in its events. */
  readonly runId: string;
  /** The name of the job. */
  readonly name: string;
  /**
   * The nominal time of the tick; `null` if the run belongs to none: a run of an `@Interval`, a manual run
   * (`trigger()`), or a plain call.
   */
  readonly tick: Date | null;
  /** The name of this instance. */
  readonly instanceId: string;
  /**
   * Aborts when the run should stop: with a `LockLostError` before another instance can acquire the lock, with a
   * `RunTimeoutError` after `maxRuntime`, or with a `ShutdownError`.
   */
  readonly signal: AbortSignal;
  /**
   * The tick in milliseconds since the epoch; `null` if `tick` is. A later tick has a greater token: a database
   * that rejects a smaller fencing token than it has seen is safe from a run that continues after its lock was lost.
   * A run can have a smaller token than the run before it with `overlap: 'allow'`; if the run before it died; if there
   * was no quorum (`onStoreDown: 'run'`); or if it is a later call in a firing, such as a retry by a decorator above
   * `@Exclusive`.
   */
  readonly fencingToken: number | null;
  /**
   * Renews the lock now, and uses `ttl` (milliseconds or a duration; default: the current ttl) from now on. Needed only
   * to change the ttl, or to make sure of the lock right now.
   *
   * @throws LockLostError if the lock is lost, or no majority of the nodes renews it; InvalidOptionError for a `ttl`
   * below three times `nodeTimeout`. Once `signal` has aborted: its reason.
   */
  extend(ttl?: Duration): Promise<void>;
}

const context = new AsyncLocalStorage<RunScope | undefined>();

/** A run, and the firing and the outer run in which its routine is called. */
export class RunScope {
  /** The firing in which the routine is called. */
  private readonly firing = currentFiring();
  /** The run that the routine is called in. */
  private outer = context.getStore();
  private hasEnded = false;

  /**
   * @param owner The resolved options of the `RedlockModule` that runs it, which stand for that module: two modules may
   * have one `instanceId`.
   * @param wonIn The firing in which the run was won, if any.
   * @param dead The token of the run of its tick that has died, if it is a takeover.
   */
  constructor(
    readonly run: CurrentRun,
    readonly owner: ResolvedOptions,
    private readonly wonIn: Firing | undefined,
    readonly dead?: string,
  ) {}

  /** Calls `routine` as part of the run. */
  enter<T>(routine: () => T): T {
    return context.run(this, routine);
  }

  /** Notes that the routine has ended: a timer, for example, can outlive the run that has set it. */
  end(): void {
    this.hasEnded = true;
    this.outer = undefined;
  }

  /** Calls `work` as part of no run and no firing. */
  static outside<T>(work: () => T): T {
    return context.run(undefined, () => outsideFirings(work));
  }

  /** The run that the caller is part of, across everything that it awaits. */
  static current(): CurrentRun | undefined {
    return context.getStore()?.run;
  }

  /** Whether the caller is part of a run of this firing, perhaps through another run inside it. */
  static wasWonIn(firing: Firing): boolean {
    for (let scope = context.getStore(); scope; scope = scope.outer) if (scope.wonIn === firing) return true;
    return false;
  }

  /**
   * The runs in progress that the caller is part of, the innermost first. A call in a firing that began within a run is
   * not part of that run.
   *
   * @param firing That of the call.
   */
  static *inProgress(firing: Firing | undefined): Generator<RunScope> {
    let scope = context.getStore();
    while (scope && !scope.hasEnded) {
      if (firing && firing !== scope.firing) return;
      yield scope;
      scope = scope.outer;
    }
  }
}

/**
 * The runs in progress of this module that may wait for what the caller does, the innermost first: those that it is
 * part of, and those that have called `RedlockService.trigger`.
 */
export function outerRuns(owner: ResolvedOptions): RunScope[] {
  const firing = currentFiring();
  const scopes = RunScope.inProgress(firing?.kind === 'manual' ? undefined : firing);
  return [...scopes].filter((scope) => scope.owner === owner);
}

/**
 * The innermost run in progress of this module that contains the call and has its name; `undefined` if there is none.
 *
 * @param nameOfCall Computes the name of the call, which can be costly; `undefined` if it has none.
 */
export function ownRun(owner: ResolvedOptions, nameOfCall: () => string | undefined): CurrentRun | undefined {
  for (const scope of RunScope.inProgress(currentFiring())) {
    if (scope.owner === owner && scope.run.name === nameOfCall()) return scope.run;
  }
  return undefined;
}
