export type { ContractCheck, ContractSubject } from './contract-check.js';
export { LOCK_NODE_CONTRACT } from './contract.js';
export type { TestFleetOptions } from './fleet-options.js';
export type { FiredRun } from './scheduled-method.js';
export { TestFleet } from './test-fleet.js';
