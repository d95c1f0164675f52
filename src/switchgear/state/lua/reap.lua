-- reap: settle what processes held whose lease is over: their places in queues come back, their calls count as made
-- at the reserved cost (they may have left). Microseconds, nano-USD, tokens. At most q.most admissions at a time.
for _, one in pairs(q.budgets) do budget.check(one, now) end
local obstacle = store.obstacle()
if obstacle ~= 'reap' then return store.reply({ kind = obstacle or 'done' }) end

local most = q.most
local services, pots = {}, {}

local function service_of(name)
  if not services[name] and q.services[name] then services[name] = store.service(q.services[name]) end
  return services[name]
end

local function pot_of(hold)
  local account = store.account(hold.budget, hold.value)
  local id = account and hold.start .. budget.id(hold.budget, hold.value)
  if account and not pots[id] then pots[id] = budget.open(prefix, account, now, hold.start) end
  return pots[id]
end

local function settle(held)
  local service = service_of(held.service)
  if not service then return {} end
  local its, holds = store.pots_of(held, pot_of)
  return store.finish(service, held, its, holds, { cost = held.cost, verdict = 'neutral', retry_after = 0 })
end

-- Whoever reaps is alive, however late.
redis.call('HSET', prefix, 'lease:' .. q.owner, now + q.lease)
redis.call('ZADD', prefix .. ':owners', now + q.lease, q.owner)
local events = {}
for _, owner in ipairs(redis.call('ZRANGEBYSCORE', prefix .. ':owners', '-inf', now)) do
  for name in pairs(q.services) do
    for _, place in ipairs(redis.call('HKEYS', prefix .. ':q:' .. name)) do
      if string.sub(place, 1, #owner + 1) == owner .. ':' then limiter.withdraw(service_of(name).limiter, place, now) end
    end
  end
  for _, number in ipairs(redis.call('HKEYS', prefix .. ':t:' .. owner)) do
    stand.give_back(stand.take(owner, number, service_of))
  end
  local held_key = prefix .. ':h:' .. owner
  for _, number in ipairs(redis.call('HKEYS', held_key)) do
    if most == 0 then break end
    most = most - 1
    store.append(events, settle(cmsgpack.unpack(redis.call('HGET', held_key, number))))
    redis.call('HDEL', held_key, number)
  end
  if most > 0 then
    redis.call('ZREM', prefix .. ':owners', owner)
    redis.call('HDEL', prefix, 'lease:' .. owner)
  end
end
local woken = {}
for _, service in pairs(services) do
  store.append(events, service.breaker.events)
  store.append(woken, service.limiter.woken)
  store.save(service)
end
stand.woken(woken)
stand.save()
for _, pot in pairs(pots) do budget.save(pot, now) end
redis.call('HSET', prefix, 'reap', redis.call('ZRANGE', prefix .. ':owners', 0, 0, 'WITHSCORES')[2])
return store.reply({ kind = 'done', events = events, woken = woken })
