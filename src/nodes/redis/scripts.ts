import { createHash } from 'node:crypto';
import { EARLY_CLAIM_TOLERANCE, LAST_TICK_RETENTION, TAKEOVER_WINDOW } from '../lock-node.js';

/** A Lua script, and its hash in Redis. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
}

/** Follows the token in the marker of a tick that can be taken over. */
const RECOVER = ' (recover)';

/** The commands that a node's user must be allowed to call, for messages. */
export const COMMANDS = 'evalsha, eval, get, set, del, incr, pexpire, pttl, time';

function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

// KEYS: lock; with a tick, its marker and last; with `every`, its marker; with `late` (claims only), its counter. ARGV:
// token, ttl, tick (0: none), keep of its marker, mode, keep of `every` (0: none), keep of `late`, deadline by the
// server's clock (0: none), whether runs may overlap (0 or 1). Modes: 0: no recovery; 1: the tick recovers; 2:
// takeover; 3: takeover if the tick was begun. The marker of a tick is the token of its runner, followed by RECOVER if
// the claim may be taken over.
const ARGUMENTS = `
local token, ttl, tick, keep = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local mode, every, late = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local everyKey = KEYS[tick > 0 and 4 or 2]
local recover = mode > 0
local mark = recover and token .. '${RECOVER}' or token
local function lease() redis.call('set', KEYS[1], token, 'PX', recover and ttl + ${TAKEOVER_WINDOW} or ttl) end
local function begin() redis.call('set', KEYS[2], mark, 'PX', recover and ttl + ${LAST_TICK_RETENTION} or keep) end
`;

// A command that waited in the buffer of a hung server may be for an instance that is gone, which could not release
// what is granted.
const IN_TIME = `
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local deadline = tonumber(ARGV[8])
if deadline > 0 and now > deadline then return {'late', now} end
`;

/**
 * Grants all or nothing. Returns 1, or `{ 'granted', dead }` for a takeover; the vote against: `{ vote }`, `{ vote, wait }`,
 * `{ vote, ahead }` or `{ vote, holder, lease, rank }`; or, if it comes too late, `{ 'late', now }`.
 */
export const CLAIM = script(`${ARGUMENTS}${IN_TIME}
local function refuse(vote, holder, left)
  local rank = 0
  if late > 0 then
    rank = redis.call('incr', KEYS[#KEYS])
    if rank == 1 then redis.call('pexpire', KEYS[#KEYS], late) end
  end
  return {vote, holder, left or 0, rank}
end
if tick > 0 then
  local last = tonumber(redis.call('get', KEYS[3]) or 0)
  if last >= tick then return {'settled', last - now > ${EARLY_CLAIM_TOLERANCE} and last - now or 0} end
  if tick - now > ${EARLY_CLAIM_TOLERANCE} then return {'early', tick - now} end
end
local holder = redis.call('get', KEYS[1])
local dead
if tick > 0 then
  local marker = redis.call('get', KEYS[2])
  if mode == 3 and not marker then return {'unbegun'} end
  if marker and marker ~= mark and marker ~= token then
    local isRecoverable = string.sub(marker, -${RECOVER.length}) == '${RECOVER}'
    local runner = isRecoverable and string.sub(marker, 1, -${RECOVER.length + 1}) or marker
    local left = isRecoverable and recover and redis.call('pttl', KEYS[2]) - ${LAST_TICK_RETENTION} or 0
    if not isRecoverable or not recover or left > 0 then return refuse('elsewhere', runner, left) end
    dead = runner
    if holder == runner then holder = token end
  end
end
if every > 0 then
  local starter = redis.call('get', everyKey)
  if starter and starter ~= token and starter ~= dead then
    -- It was written while the clock of this server was ahead.
    if redis.call('pttl', everyKey) > every then redis.call('pexpire', everyKey, every) end
    return refuse(starter == holder and 'elsewhere' or 'ran', starter)
  end
end
if holder and holder ~= token then return refuse('overlap', holder) end
lease()
if tick > 0 then begin() end
if every > 0 then redis.call('set', everyKey, token, 'PX', every) end
if dead then return {'granted', dead} end
return 1
`);

/**
 * Extends the lock (and a tick that recovers) by another ttl, unless another claim holds it or the tick has been run.
 * Returns 1, 0, or `{ 'late', now }`.
 */
export const EXTEND = script(`${ARGUMENTS}${IN_TIME}
local holder = redis.call('get', KEYS[1])
if holder and holder ~= token then return 0 end
if tick > 0 then
  local marker = redis.call('get', KEYS[2])
  if marker and marker ~= mark then return 0 end
  local last = tonumber(redis.call('get', KEYS[3]) or 0)
  if last == tick or (last > tick and not holder and ARGV[9] == '0') then return 0 end
end
if every > 0 and ARGV[9] == '0' then
  local starter = redis.call('get', everyKey)
  if starter and starter ~= token then return 0 end
end
lease()
if recover then begin() end
return 1
`);

/**
 * Frees the lock, keeps the markers, and records the tick as run unless another claim has begun it meanwhile. Returns 1
 * if the lock was still held, otherwise 0.
 */
export const SETTLE = script(`${ARGUMENTS}
local held = 0
if redis.call('get', KEYS[1]) == token then held = redis.call('del', KEYS[1]) end
if tick > 0 then
  local marker = redis.call('get', KEYS[2])
  if marker and marker ~= mark and marker ~= token then return held end
  redis.call('set', KEYS[2], token, 'PX', keep)
  local last = redis.call('get', KEYS[3])
  if not last or tonumber(last) < tick then redis.call('set', KEYS[3], ARGV[3], 'PX', keep + ${LAST_TICK_RETENTION}) end
end
return held
`);

/**
 * Undoes a claim; after a takeover, the tick can be taken over again. Returns 1 if the lock was still held, otherwise
 * 0.
 */
export const RELEASE = script(`${ARGUMENTS}
local function undo(key, value, left)
  if redis.call('get', key) ~= value then return 0 end
  if mode > 1 then return redis.call('pexpire', key, left) end
  return redis.call('del', key)
end
local held = undo(KEYS[1], token, ${TAKEOVER_WINDOW})
if tick > 0 then undo(KEYS[2], mark, ${LAST_TICK_RETENTION}) end
if every > 0 and redis.call('get', everyKey) == token then redis.call('del', everyKey) end
return held
`);

/** Frees a lock that has no markers. KEYS: lock. ARGV: token. Returns 1 if it was still held, otherwise 0. */
export const RELEASE_LOCK = script(`
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end
return 0
`);
