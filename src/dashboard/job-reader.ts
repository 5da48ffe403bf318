import { randomBytes } from 'node:crypto';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { sleep, systemClock } from '../clock.js';
import { RedlockService } from '../services/redlock.service.js';
import { EventMemory } from './event-memory.js';
import { declarationsOf } from './declarations.js';
import type { FleetView, JobDetail, Overview, ShownDrift } from './page-data.js';
import type { RedlockApi } from './redlock-api.js';
import type { DeclaredJobInfo, FleetInstance } from './redlock-data.js';
import { REFRESH, SharedRead } from './shared-read.js';
import { shownDrift } from './shown-drift.js';
import { type JobFacts, shownJob, ticksAt, timesAfterRun } from './shown-job.js';
import { StoreAccess } from './store-access.js';
import { within } from './within.js';

/** Jobs are read in slices with a pause in between, in milliseconds: at most a hundred jobs in a second. */
const SLICE = { size: 20, pause: 200 };
/** How long an overview waits for what is being read, in milliseconds. */
const PATIENCE = 400;
/**
 * `job`: how many runs are read of each job; `overview`: how many an overview has in total; `least`: how many it has of
 * each job, even if the total is then more.
 */
const RUNS = { job: 200, overview: 20_000, least: 10 };
const MOST_JOBS = 5000;
const UPCOMING = 10;
/** How long a list of the instances is reused, in milliseconds. It can be long; entries are renewed less often. */
const LISTED_FOR = 9000;

/** A job as it was last read. */
interface ReadJob extends JobFacts {
  readonly readAt: number;
  /** The `ShownJob` as JSON. */
  readonly json: string;
  /** The number of the change that produced this `json`. */
  readonly change: number;
}

/** Reads jobs while somebody looks, once for all viewers. */
@Injectable()
export class JobReader implements OnModuleInit, OnModuleDestroy {
  redlock!: RedlockApi;
  private events!: EventMemory;
  /** Distinguishes the changes that this instance counts from those of others behind a load balancer. */
  private readonly id = randomBytes(6).toString('hex');
  private changes = 0;
  private isOver = false;
  private declared: ReadonlyMap<string, DeclaredJobInfo> = new Map();
  private readonly known = new Map<string, ReadJob>();
  private readonly reads = new Map<string, SharedRead<void>>();
  private readonly store = new StoreAccess();
  private instances:
    { readonly fleet: readonly FleetInstance[]; readonly drift: readonly ShownDrift[] } | undefined;
  private listedAt = Number.NEGATIVE_INFINITY;
  private readonly health = new SharedRead(() => this.redlock.health());
  private readonly fleetRead = new SharedRead(() => this.readFleet());
  private readonly sweep = new SharedRead(() => this.readAll());

  constructor(private readonly modules: ModuleRef) {}

  onModuleInit(): void {
    this.redlock = this.modules.get(RedlockService, { strict: false });
    this.events = new EventMemory(this.redlock);
  }

  onModuleDestroy(): void {
    this.isOver = true;
  }

  /** @param since The cursors of the answers that the page has got, from this instance and perhaps from others. */
  async overview(since: string, actions: boolean): Promise<string> {
    await within(this.sweep.get(), PATIENCE);
    const seen = Number(new RegExp(`${this.id}\\.(\\d+)`).exec(since)?.[1] ?? -1);
    const { changes, store } = this;
    const cursor = `${this.id}.${changes}`;
    const head: Omit<Overview, 'jobs'> = {
      now: Date.now(),
      refresh: REFRESH,
      actions,
      cursor,
      trouble: store.trouble,
    };
    const jobs = [...this.known.values()].filter(({ change }) => change > seen);
    const list = jobs.map(({ readAt, json }) => `[${readAt},${json}]`).join();
    return `${JSON.stringify(head).slice(0, -1)},"jobs":[${list}]}`;
  }

  /** `undefined` for a name that no instance declares, and that `EventMemory` does not know. */
  async job(name: string): Promise<JobDetail | undefined> {
    await this.fleetRead.get();
    this.updateNames();
    if (!this.known.has(name)) return undefined;
    await this.read(name).get();
    const known = this.known.get(name);
    if (!known) return undefined;
    const { info, records, readAt } = known;
    const hasTicks = info && !info.isPattern && info.schedule.kind === 'cron';
    return {
      readAt,
      job: shownJob(known, records.length),
      records,
      preview: hasTicks ? this.redlock.preview(name, UPCOMING).map(Number) : [],
      declarations: this.instances ? declarationsOf(name, this.instances.fleet, this.instances.drift) : null,
    };
  }

  async fleet(): Promise<FleetView | null> {
    await this.fleetRead.get();
    if (!this.instances) return null;
    const { fleet, drift } = this.instances;
    return {
      fleet: fleet.map(({ jobs, ...instance }) => ({ ...instance, jobs: jobs.length })),
      health: await this.health.get(),
      drift,
      reports: this.events.drift,
    };
  }

  /** Reads a job for a viewer who has just changed something. The job may never have been read before. */
  async renew(name: string): Promise<void> {
    this.updateNames();
    // The viewer may know this job from another instance.
    if (!this.known.has(name)) this.events.hear(name);
    await this.read(name).renewed();
  }

  /** The reading of one job. */
  private read(name: string): SharedRead<void> {
    const read = this.reads.get(name) ?? new SharedRead(() => this.readJob(name));
    if (this.known.has(name)) this.reads.set(name, read);
    return read;
  }

  private async readAll(): Promise<void> {
    await this.fleetRead.get();
    this.updateNames();
    const names = [...this.known.keys()];
    for (let first = 0; first < names.length; first += SLICE.size) {
      if (first > 0) await sleep(systemClock, SLICE.pause);
      await Promise.all(names.slice(first, first + SLICE.size).map((name) => this.read(name).get()));
      if (this.store.trouble || this.isOver) return;
    }
  }

  private async readFleet(): Promise<void> {
    if (performance.now() - this.listedAt < LISTED_FOR) return;
    const fleet = await this.store.ask(() => this.redlock.fleet());
    if (!fleet) return;
    this.listedAt = performance.now();
    this.instances = { fleet, drift: shownDrift(fleet, Date.now()) };
  }

  private async readJob(name: string): Promise<void> {
    if (this.declared.get(name)?.isPattern) return;
    const { redlock, known } = this;
    const answer = await this.store.ask(() =>
      Promise.all([redlock.status(name), redlock.history(name, { limit: RUNS.job })]),
    );
    if (!answer) return;
    const [status, records] = answer;
    const now = Date.now();
    const next = status.nextTick ? +status.nextTick : undefined;
    const ticks =
      timesAfterRun(this.declared.get(name), next, UPCOMING) ??
      ticksAt(now, known.get(name)?.ticks ?? [], next, () => redlock.preview(name, UPCOMING));
    this.remember({ name, status, records, ticks, readAt: now });
  }

  /**
   * Adds every job that an instance declares or `EventMemory` knows, even if no node answers, and forgets the others:
   * an update may have removed them.
   */
  private updateNames(): void {
    this.declared = new Map(this.redlock.jobs().map((info) => [info.name, info]));
    const ofFleet = this.instances?.fleet.flatMap(({ jobs }) => jobs.map(({ name }) => name)) ?? [];
    const names = new Set([...this.declared.keys(), ...ofFleet, ...this.events.names]);
    for (const name of this.known.keys()) {
      if (names.has(name)) continue;
      this.known.delete(name);
      this.reads.delete(name);
    }
    for (const name of names) {
      if (this.known.has(name) || this.known.size >= MOST_JOBS) continue;
      this.remember({ name, status: undefined, records: [], ticks: [], readAt: 0 });
    }
  }

  private remember(job: Omit<ReadJob, 'json' | 'change' | 'info' | 'gaps'>): void {
    const all = { ...job, info: this.declared.get(job.name), gaps: this.events.gapsOf(job.name) };
    const limit = Math.max(RUNS.least, Math.floor(RUNS.overview / Math.max(this.known.size, 1)));
    const json = JSON.stringify(shownJob(all, limit));
    const before = this.known.get(job.name);
    const change = before?.json === json ? before.change : ++this.changes;
    this.known.set(job.name, { ...all, json, change });
  }
}
