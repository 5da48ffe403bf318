import { createHash } from 'node:crypto';
import { EARLY_CLAIM, KEEP_LAST, TAKEOVER } from './lock-node.js';

/** A Lua script, and the hash by which Redis knows it. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
}

/** What the user of a node must be allowed to call, for messages. */
export const COMMANDS = 'evalsha, eval, get, set, del, incr, pexpire, pttl, time';

function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

// KEYS: lock; with a tick its marker and last; with `every` its marker; with `late` (claims only) its counter.
// ARGV: token, ttl, tick (0: none), keep of its marker, recover (0, 1, or 2 for a takeover), keep of `every` (0: none), keep of
// `late`, until when to carry it out by the clock of the server (0: at any time).
const ARGUMENTS = `
local token, ttl, tick, keep = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local recover, every, late = ARGV[5] ~= '0', tonumber(ARGV[6]), tonumber(ARGV[7])
local everyKey = KEYS[tick > 0 and 4 or 2]
local lease = recover and ttl + ${TAKEOVER} or ttl
`;

// What has lain in the buffer of a server that hung may be for an instance that is gone, and can give nothing back.
const IN_TIME = `
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local deadline = tonumber(ARGV[8])
if deadline > 0 and now > deadline then return {'late', now} end
`;

/**
 * Grants all or nothing. Returns 1; the vote against: `{ vote, wait }` or `{ vote, holder, lease, rank }`; or, if it comes
 * too late, `{ 'late', now }`.
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
  local last = redis.call('get', KEYS[3])
  if last and tonumber(last) >= tick then return {'settled'} end
  if tick - now > ${EARLY_CLAIM} then return {'early', tick - now} end
end
local holder = redis.call('get', KEYS[1])
local dead
if tick > 0 then
  local runner = redis.call('get', KEYS[2])
  if runner and runner ~= token then
    local left = redis.call('pttl', KEYS[2]) - ${TAKEOVER}
    if not recover or left > 0 then return refuse('elsewhere', runner, recover and left) end
    dead = runner
    if holder == runner then holder = token end
  end
end
if every > 0 then
  local starter = redis.call('get', everyKey)
  if starter and starter ~= token and starter ~= dead then return refuse(starter == holder and 'elsewhere' or 'ran', starter) end
end
if holder and holder ~= token then return refuse('overlap', holder) end
redis.call('set', KEYS[1], token, 'PX', lease)
if tick > 0 then redis.call('set', KEYS[2], token, 'PX', recover and lease or keep) end
if every > 0 then redis.call('set', everyKey, token, 'PX', every) end
return 1
`);

/** Gives the lock (and a recoverable tick) another ttl, if nobody else holds it. Returns 1, 0, or `{ 'late', now }`. */
export const EXTEND = script(`${ARGUMENTS}${IN_TIME}
local holder = redis.call('get', KEYS[1])
if holder and holder ~= token then return 0 end
redis.call('set', KEYS[1], token, 'PX', lease)
if recover then redis.call('set', KEYS[2], token, 'PX', lease) end
return 1
`);

/** Frees the lock, keeps the markers, writes the tick down. Returns 1 if the lock was still held, else 0. */
export const SETTLE = script(`${ARGUMENTS}
local held = 0
if redis.call('get', KEYS[1]) == token then held = redis.call('del', KEYS[1]) end
if tick > 0 then
  redis.call('set', KEYS[2], token, 'PX', keep)
  local last = redis.call('get', KEYS[3])
  if not last or tonumber(last) < tick then redis.call('set', KEYS[3], ARGV[3], 'PX', keep + ${KEEP_LAST}) end
end
return held
`);

/** Removes what the claim wrote, or leaves it to be taken over. Returns 1 if the lock was still held, else 0. */
export const RELEASE = script(`${ARGUMENTS}
local function undo(key)
  if redis.call('get', key) ~= token then return 0 end
  if ARGV[5] == '2' then return redis.call('pexpire', key, ${TAKEOVER}) end
  return redis.call('del', key)
end
local held = undo(KEYS[1])
if tick > 0 then undo(KEYS[2]) end
if every > 0 and redis.call('get', everyKey) == token then redis.call('del', everyKey) end
return held
`);

/** Frees a lock that has no markers. KEYS: lock. ARGV: token. Returns 1 if it was still held, else 0. */
export const FREE = script(`
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end
return 0
`);
