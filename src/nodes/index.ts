// `nestjs-exclusive/node`: the contract for your own voting node. `LOCK_NODE_CONTRACT` of `nestjs-exclusive/testing`
// checks it.
export {
  DIED,
  type JobKeyNames,
  type JobView,
  type Pause,
  PAUSE_RETENTION,
  type Register,
} from './job-view.js';
export {
  type Claim,
  type Conflict,
  EARLY_CLAIM_TOLERANCE,
  type History,
  LAST_TICK_RETENTION,
  type LockNode,
  type Marker,
  type NodeReport,
  TAKEOVER_WINDOW,
  type TickClaim,
  type Vote,
} from './lock-node.js';
