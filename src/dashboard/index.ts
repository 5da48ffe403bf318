export { RedlockDashboardModule } from './dashboard.module.js';
export type {
  RedlockDashboardAsyncOptions,
  RedlockDashboardMount,
  RedlockDashboardOptions,
  RedlockDashboardSettings,
} from './dashboard-options.js';
