export { type ContractCheck, type ContractSubject, LOCK_NODE_CONTRACT } from './contract.js';
export type { FiredRun } from './scheduled-method.js';
export { TestFleet, type TestFleetOptions } from './test-fleet.js';
