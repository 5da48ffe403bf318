import type { RedlockService } from '../services/redlock.service.js';

/** The part of `RedlockService` that the dashboard uses, so that its tests can provide a fake. */
export type RedlockApi = Pick<
  RedlockService,
  'history' | 'status' | 'jobs' | 'preview' | 'fleet' | 'health' | 'pause' | 'resume' | 'trigger' | 'on'
>;
