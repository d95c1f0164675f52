-- renew: prolong this process's lease. Microseconds. Says whether something stands in the way of its verbs.
local obstacle = store.obstacle()
if obstacle == 'flushed' or obstacle == 'lapsed' then return store.reply({ kind = obstacle }) end
redis.call('HSET', prefix, 'lease:' .. q.owner, now + q.lease)
redis.call('ZADD', prefix .. ':owners', now + q.lease, q.owner)
local first = redis.call('ZRANGE', prefix .. ':owners', 0, 0, 'WITHSCORES')
redis.call('HSET', prefix, 'reap', first[2])
local kind = now >= tonumber(first[2]) and 'reap' or 'done'
return store.reply({ kind = kind, owners = redis.call('ZCARD', prefix .. ':owners') })
