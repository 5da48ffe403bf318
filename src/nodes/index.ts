// `nestjs-exclusive/node`: the contract for your own voting node. `LOCK_NODE_CONTRACT` of `nestjs-exclusive/testing`
// checks it.
export {
  type Claim,
  type Conflict,
  EARLY_CLAIM_TOLERANCE,
  LAST_TICK_RETENTION,
  type LockNode,
  type Marker,
  type NodeReport,
  TAKEOVER_WINDOW,
  type TickClaim,
  type Vote,
} from './lock-node.js';
