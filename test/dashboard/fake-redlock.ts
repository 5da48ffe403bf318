import { StoreDownError } from '../../src/errors.js';
import type { RedlockApi } from '../../src/dashboard/redlock-api.js';
import type {
  DeclaredJobInfo,
  FleetInstance,
  Health,
  JobStatus,
  RunRecord,
} from '../../src/dashboard/redlock-data.js';
import type {
  JobPause,
  PauseOptions,
  RedlockEventMap,
  RedlockListener,
  RunOutcome,
} from '../../src/index.js';

/** What a test lets a fake say of one job. */
export interface FakeJob {
  readonly info?: DeclaredJobInfo;
  readonly records?: readonly RunRecord[];
  readonly status?: Partial<JobStatus>;
  /** Default: none, so that no tick is due. */
  readonly next?: readonly Date[];
}

/** A `RedlockService` that says what a test tells it, and counts what it is asked. */
export class FakeRedlock implements RedlockApi {
  readonly asked: string[] = [];
  readonly done: unknown[][] = [];
  isDown = false;
  /** The jobs that cannot be read, and why. */
  readonly broken = new Map<string, Error>();
  instances: FleetInstance[] = [];
  nodes: Health['nodes'] = [];
  outcome: RunOutcome<unknown> | Error | Promise<RunOutcome<unknown>> = { ran: true, value: undefined };
  private readonly paused = new Map<string, JobPause>();
  private readonly listeners = new Map<string, ((event: never) => unknown)[]>();

  constructor(readonly known: Map<string, FakeJob> = new Map()) {}

  async history(name: string, { limit = 50 }: { limit?: number } = {}): Promise<RunRecord[]> {
    this.ask(`history ${name}`, name);
    return (this.known.get(name)?.records ?? []).slice(0, limit);
  }

  async status(name: string): Promise<JobStatus> {
    this.ask(`status ${name}`, name);
    const { records = [], next = [], status } = this.known.get(name) ?? {};
    return {
      name,
      lastTick: records.find(({ tick }) => tick)?.tick ?? null,
      lastOutcome: records[0]?.outcome ?? null,
      nextTick: this.preview(name, 1)[0] ?? next[0] ?? null,
      overdueBy: null,
      running: null,
      ...status,
      paused: this.paused.get(name) ?? status?.paused ?? null,
    };
  }

  jobs(): DeclaredJobInfo[] {
    return [...this.known.values()].flatMap(({ info }) => (info ? [info] : []));
  }

  preview(name: string, count = 10): Date[] {
    const next = this.known.get(name)?.next ?? [];
    return next.filter((tick) => +tick > Date.now()).slice(0, count);
  }

  async fleet(): Promise<FleetInstance[]> {
    this.ask('fleet', 'fleet');
    return this.instances.toSorted((a, b) => +a.startedAt - +b.startedAt);
  }

  async health(): Promise<Health> {
    return { quorum: !this.isDown, nodes: this.nodes, overdue: [] };
  }

  async pause(name: string, options: PauseOptions = {}): Promise<void> {
    this.ask(`pause ${name}`, name);
    this.done.push(['pause', name, options]);
    const at = new Date();
    const until = options.for === undefined ? null : new Date(+at + Number(options.for));
    this.paused.set(name, { by: 'web-1:1:abc', at, since: at, until, note: options.note ?? null });
  }

  async resume(name: string): Promise<void> {
    this.ask(`resume ${name}`, name);
    this.done.push(['resume', name]);
    this.paused.delete(name);
  }

  async trigger(name: string): Promise<RunOutcome<unknown>> {
    this.ask(`trigger ${name}`, name);
    this.done.push(['trigger', name]);
    const outcome = await this.outcome;
    if (outcome instanceof Error) throw outcome;
    return outcome;
  }

  on<Name extends keyof RedlockEventMap>(event: Name, listener: RedlockListener<Name>): () => void {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
    return () => undefined;
  }

  /** @param event The part of an event that the dashboard reads. */
  emit<Name extends keyof RedlockEventMap>(name: Name, event: Partial<RedlockEventMap[Name]>): void {
    for (const listener of this.listeners.get(name) ?? []) (listener as (event: object) => unknown)(event);
  }

  private ask(what: string, name: string): void {
    this.asked.push(what);
    const error = this.broken.get(name);
    if (error) throw error;
    if (this.isDown) throw new StoreDownError(name, [new Error('Node 10.1.1.1:6379: connect ECONNREFUSED')]);
  }
}
