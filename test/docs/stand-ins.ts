import type { INestApplication, Type } from '@nestjs/common';
import type { RedlockService } from '../../src/index.js';
import type { LockNode } from '../../src/nodes/index.js';
import type { TestFleet } from '../../src/testing/index.js';

/**
 * What the fragments of code in the documentation take for granted: names that a reader has, or can imagine. Here they
 * are types only, so that a fragment compiles.
 */
export declare const ConfigModule: Type;
export declare class ConfigService {
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the real one has it
  getOrThrow<T>(name: string): T;
}

export declare const redlock: RedlockService;
export declare const registry: import('@nestjs/schedule').SchedulerRegistry;
export declare const app: INestApplication;
export declare const metrics: { count(name: string): void };
export declare const tenants: { active(): Promise<readonly string[]> };
export declare const AppModule: Type;
export declare const fleet: TestFleet;
export declare const started: Promise<void>;
export declare function letItEnd(): void;
export declare const MyNode: new () => LockNode;
export declare const Jobs: Type;
export declare const ManualClock: typeof import('../../src/testing/manual-clock.js').ManualClock;
export declare const start: typeof import('../module/application.js').start;
export declare function importAll(signal: AbortSignal): Promise<void>;
/** As in `bullmq`. */
export interface Job {
  moveToDelayed(timestamp: number, token?: string): Promise<void>;
}
/** As in `bullmq`. */
export declare class DelayedError extends Error {}
export declare function SentryCron(slug: string): MethodDecorator;
export declare function cleanUp(): Promise<number>;
export declare function work(signal?: AbortSignal): Promise<void>;

/** The class around a fragment that is a method. */
export declare class Surroundings {
  readonly redlock: RedlockService;
  readonly db: { query(text: string, values: readonly unknown[]): Promise<void> };
  readonly tenants: { doneBefore(due: Date): Promise<readonly string[]> };
  computeTotals(options: { signal: AbortSignal }): Promise<number>;
}
