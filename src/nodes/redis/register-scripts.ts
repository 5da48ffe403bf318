// A register of instances.
import { script } from './scripts.js';

// KEYS: ends, entries. Whoever comes next removes the entries that have ended.
const REMOVE_ENDED = `
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, id in ipairs(redis.call('zrangebyscore', KEYS[1], '-inf', now)) do
  redis.call('zrem', KEYS[1], id)
  redis.call('hdel', KEYS[2], id)
end
`;

/**
 * Renews an entry of a register. ARGV: id, keep, content (or nothing). Returns 1, or 0 if nothing is there to renew.
 */
export const REGISTER = script(`${REMOVE_ENDED}
if ARGV[3] then redis.call('hset', KEYS[2], ARGV[1], ARGV[3]) end
if redis.call('hexists', KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call('zadd', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('pexpire', KEYS[1], ARGV[2])
redis.call('pexpire', KEYS[2], ARGV[2])
return 1
`);

/** The contents of a register. */
export const REGISTERED = script(`${REMOVE_ENDED}
return redis.call('hvals', KEYS[2])
`);
