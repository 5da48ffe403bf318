import { createHash } from 'node:crypto';
import { DIED } from '../job-view.js';
import { EARLY_CLAIM_TOLERANCE, LAST_TICK_RETENTION, TAKEOVER_WINDOW } from '../lock-node.js';

/** A Lua script, and its hash in Redis. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
}

/** Follows the token in the marker of a tick that can be taken over. */
const RECOVER = ' (recover)';

/**
 * The first character of a pause, and of the end of a pause. Its version, its end (0: never) and its detail follow.
 */
export const PAUSED = 'P';
export const RESUMED = 'R';

/** The commands that a node's user must be allowed to call, for messages. */
export const COMMANDS =
  'evalsha, eval, get, set, del, incr, pexpire, pttl, time, lpush, ltrim, lrange, pexpireat, zadd, zrem, zrangebyscore, hset, hdel, hexists, hvals';

/** A Lua script, and its hash. Usually only the hash is sent. */
export function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

// KEYS, each only if it is needed: the lock; the marker of the tick, and `last`; the marker of `every`; the pause; the
// records; `begun`, unless runs may overlap; the counter of losers. ARGV: 1 token; 2 ttl; 3 tick (0: none); 4 how long
// its marker lives; 5 mode; 6 how long the marker of `every` lives (0: none); 7 how long the counter lives (0: none;
// claims only); 8 deadline by the server's clock (0: none); 9 whether runs may overlap (0 or 1); 10 whether a pause
// counts (0 or 1); 11 how many records to keep (0: none); 12 how long they live; 13 the record (settles only). Modes:
// 0: no recovery; 1: `recover`; 2: takeover; 3: the same, and another node says that the tick was begun. The marker of
// a tick is the token of its runner, followed by RECOVER if the claim may be taken over.
const ARGUMENTS = `
local token, ttl, tick, keep = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local mode, every, countFor = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local limit, remember = tonumber(ARGV[11]), ARGV[12]
local used = 1
local function key() used = used + 1 return KEYS[used] end
local tickKey, lastKey, everyKey, pauseKey, begunKey, recordsKey
if tick > 0 then tickKey = key() lastKey = key() end
if every > 0 then everyKey = key() end
if ARGV[10] == '1' then pauseKey = key() end
if limit > 0 then recordsKey = key() end
if limit > 0 and ARGV[9] == '0' then begunKey = key() end
local recover = mode > 0
local mark = recover and token .. '${RECOVER}' or token
local function lease() redis.call('set', KEYS[1], token, 'PX', recover and ttl + ${TAKEOVER_WINDOW} or ttl) end
local function begin() redis.call('set', tickKey, mark, 'PX', recover and ttl + ${LAST_TICK_RETENTION} or keep) end
-- Nothing depends on a record, so an error is returned, and not raised.
local function record(what)
  local added = redis.pcall('lpush', recordsKey, what)
  if type(added) == 'table' then return added.err end
  local trimmed = redis.pcall('ltrim', recordsKey, 0, limit - 1)
  if trimmed.err then return trimmed.err end
  local kept = redis.pcall('pexpire', recordsKey, remember)
  return type(kept) == 'table' and kept.err
end
`;

// While a command waited in the buffer of a hung server, its instance may have gone: nobody would release what is
// granted.
const IN_TIME = `
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local deadline = tonumber(ARGV[8])
if deadline > 0 and now > deadline then return {'late', now} end
`;

/**
 * Grants all or nothing. If it grants the claim, it returns 1, `{ last }` or `{ 'granted', dead, last, unfinished }`.
 * If it denies the claim, it returns `{ vote }`, `{ vote, wait }`, `{ vote, ahead }` or
 * `{ vote, holder, lease, rank }`. After the deadline, it returns `{ 'late', now }`.
 */
export const CLAIM = script(`${ARGUMENTS}${IN_TIME}
local function refuse(vote, holder, left)
  local rank = 0
  if countFor > 0 then
    rank = redis.call('incr', KEYS[#KEYS])
    if rank == 1 then redis.call('pexpire', KEYS[#KEYS], countFor) end
  end
  return {vote, holder, left or 0, rank}
end
local last = 0
if tick > 0 then
  last = tonumber(redis.call('get', lastKey) or 0)
  if last >= tick then return {'settled', last - now > ${EARLY_CLAIM_TOLERANCE} and last - now or 0} end
  if tick - now > ${EARLY_CLAIM_TOLERANCE} then
    if mode == 2 and not redis.call('get', tickKey) then return {'unbegun'} end
    return {'early', tick - now}
  end
end
local holder = redis.call('get', KEYS[1])
if pauseKey and holder ~= token then
  local ends = string.match(redis.call('get', pauseKey) or '', '^${PAUSED}%d+ (%d+)')
  if ends == '0' or (ends and tonumber(ends) > now) then return {'paused'} end
end
local dead
if tick > 0 then
  local marker = redis.call('get', tickKey)
  if not marker and (mode == 2 or (mode == 3 and last == 0)) then return {'unbegun'} end
  if marker and marker ~= mark and marker ~= token then
    local isRecoverable = string.sub(marker, -${RECOVER.length}) == '${RECOVER}'
    local runner = isRecoverable and string.sub(marker, 1, -${RECOVER.length + 1}) or marker
    local left = isRecoverable and recover and redis.call('pttl', tickKey) - ${LAST_TICK_RETENTION} or 0
    if not isRecoverable or not recover or left > 0 then return refuse('elsewhere', runner, left) end
    dead = runner
    if holder == runner then holder = token end
  end
end
if every > 0 then
  local starter = redis.call('get', everyKey)
  if starter and starter ~= token and starter ~= dead then
    -- It may have been written for longer, for example while the clock of this server was ahead.
    if redis.call('pttl', everyKey) > every then redis.call('pexpire', everyKey, every) end
    return refuse(starter == holder and 'elsewhere' or 'ran', starter)
  end
end
if holder and holder ~= token then return refuse('overlap', holder) end
local unfinished
-- Usually, nothing is unfinished, and one command is enough.
if begunKey and not redis.call('set', begunKey, token, 'PX', remember, 'NX') then
  unfinished = redis.call('get', begunKey)
  if unfinished == token then unfinished = nil end
  redis.call('set', begunKey, token, 'PX', remember)
end
lease()
if tick > 0 then begin() end
if every > 0 then redis.call('set', everyKey, token, 'PX', every) end
if unfinished then record('${DIED}' .. unfinished) end
if dead or unfinished then return {'granted', dead or '', last, unfinished or ''} end
return last > 0 and {last} or 1
`);

/**
 * Extends the lease to one ttl from now: writes the lock again and, with `recover`, the marker of the tick. Returns 1.
 * Returns 0 if another claim has the lock or the marker of the tick, or if the tick is settled. But with `recover`, a
 * marker whose lease is over does not count: a takeover that other nodes have denied may have left it. Unless runs may
 * overlap, it also returns 0 if a newer tick is settled and the lock is free, or if another run has begun the interval.
 * After the deadline, it returns `{ 'late', now }`.
 */
export const EXTEND = script(`${ARGUMENTS}${IN_TIME}
local function isOver(marker)
  return string.sub(marker, -${RECOVER.length}) == '${RECOVER}' and redis.call('pttl', tickKey) <= ${LAST_TICK_RETENTION}
end
local holder = redis.call('get', KEYS[1])
if holder and holder ~= token then return 0 end
if tick > 0 then
  local marker = redis.call('get', tickKey)
  if marker and marker ~= mark and not (recover and isOver(marker)) then return 0 end
  local last = tonumber(redis.call('get', lastKey) or 0)
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
 * if the lock was still held, otherwise 0; or `{ held, error }` if the server refuses the record alone.
 */
export const SETTLE = script(`${ARGUMENTS}
local held = 0
if redis.call('get', KEYS[1]) == token then held = redis.call('del', KEYS[1]) end
local marker = tick > 0 and redis.call('get', tickKey)
if tick > 0 and (not marker or marker == mark or marker == token) then
  redis.call('set', tickKey, token, 'PX', keep)
  local last = redis.call('get', lastKey)
  local keepLast = math.max(keep + ${LAST_TICK_RETENTION}, limit > 0 and remember or 0)
  if not last or tonumber(last) < tick then redis.call('set', lastKey, ARGV[3], 'PX', keepLast) end
end
if begunKey and redis.call('get', begunKey) == token then redis.call('del', begunKey) end
local what = limit > 0 and ARGV[13]
-- A settle that is sent again may find its record there.
local isThere = what and held == 0 and redis.pcall('lrange', recordsKey, 0, 0)[1] == what
local refusal = what and not isThere and record(what)
if not refusal then return held end
for _, reason in ipairs({'OOM command', 'READONLY', 'NOREPLICAS', 'MISCONF'}) do
  -- It refuses every write, so the settle comes again.
  if string.find(refusal, reason, 1, true) then return {err = refusal} end
end
return {held, refusal}
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
if tick > 0 then undo(tickKey, mark, ${LAST_TICK_RETENTION}) end
if every > 0 and redis.call('get', everyKey) == token then redis.call('del', everyKey) end
if begunKey and redis.call('get', begunKey) == token then redis.call('del', begunKey) end
return held
`);

/** Frees a lock that has no markers. KEYS: lock. ARGV: token. Returns 1 if it was still held, otherwise 0. */
export const RELEASE_LOCK = script(`
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end
return 0
`);

/** What is known about a job. KEYS: lock, last, begun, records, pause. ARGV: the maximum number of records. */
export const LOOK = script(`
local limit = tonumber(ARGV[1])
local function get(key) return redis.call('get', key) or '' end
return {
  get(KEYS[1]), tonumber(redis.call('get', KEYS[2]) or 0), get(KEYS[3]), get(KEYS[5]),
  limit > 0 and redis.call('lrange', KEYS[4], 0, limit - 1) or {},
}
`);

/**
 * Writes a pause, unless a newer one is there (see `isNewer` in `pause-order.ts`). KEYS: pause. ARGV: the value,
 * and when to forget it (0: never). Without ARGV, it only reads. Returns what is there now.
 */
export const PAUSE = script(`
local known = redis.call('get', KEYS[1]) or ''
if not ARGV[1] then return known end
-- The detail is compared byte by byte: how < orders strings depends on the locale of the server.
local function rank(pause)
  local state, version, ends, detail = string.match(pause, '^(.)(%d+) (%d+) (.*)$')
  if not state then return {} end
  local ranks = {tonumber(version), state == '${RESUMED}' and 1 or 0, ends == '0' and -math.huge or -tonumber(ends)}
  for i = 1, #detail do ranks[3 + i] = string.byte(detail, i) end
  return ranks
end
local function isNewer(new, old)
  for i, part in ipairs(new) do
    if part ~= old[i] then return not old[i] or part > old[i] end
  end
  return false
end
if not isNewer(rank(ARGV[1]), rank(known)) then return known end
redis.call('set', KEYS[1], ARGV[1])
if ARGV[2] ~= '0' then redis.call('pexpireat', KEYS[1], ARGV[2]) end
return ARGV[1]
`);
