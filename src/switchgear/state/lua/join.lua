-- join: register a process and its lease; tell the state, once for each ledger since it was last empty, what the
-- ledger remembers (of budgets: once for each budget); hold again what the process held when the state was lost. Microseconds, nano-USD, tokens.
for _, one in pairs(q.budgets) do budget.check(one, now) end
budget.changed = redis.call('HGET', prefix, 'limits') or #q.limits > 0
local lease = 'lease:' .. q.owner
local known = redis.call('HEXISTS', prefix, lease) == 1
local services, pots = {}, {}
local function service_of(name)
  if not services[name] and q.services[name] then services[name] = store.service(q.services[name]) end
  return services[name]
end
local function pot_of(name, value)
  local account = store.account(name, value)
  local id = account and budget.id(name, value)
  if account and not pots[id] then pots[id] = budget.open(prefix, account, now) end
  return pots[id]
end

local function remember()
  for _, past in ipairs(q.calls) do
    local service = service_of(past.service)
    local its = service or (stand.rules[past.service] and stand.open(past.service))
    local at = math.min(past.at, now)
    if its then limiter.count(its.limiter, at, past.requests, past.tokens) end
    if service and service.shade then limiter.count(service.shade.limiter, at, past.requests, past.tokens) end
  end
  for _, past in ipairs(q.limits) do
    redis.call('HSET', prefix, 'limits', 1)
    redis.call('HSET', prefix .. ':limits', past.budget, cmsgpack.pack({ limit = past.limit, marks = past.marks, configured = past.configured }))
  end
  for _, past in ipairs(q.breakers) do
    local service = service_of(past.service)
    if service and service.s.breaker.gen == 0 then breaker.remember(service.breaker, past) end
  end
end

-- A budget that is new to the state is told what the ledger remembers of it, whenever it comes.
local function remember_spend()
  local fresh = {}
  for name in pairs(q.budgets) do fresh[name] = redis.call('SADD', prefix .. ':told', q.ledger .. ':' .. name) == 1 end
  for _, past in ipairs(q.spend) do
    local pot = fresh[past.budget] and pot_of(past.budget, past.value)
    if pot then
      budget.add(pot, pot.rule.unit == 'tokens' and past.tokens or past.cost, now)
      pot.v.unpriced = pot.v.unpriced + past.unpriced
      budget.cross(pot, now)
    end
  end
end

-- Writing begins here: if the server refuses the first write, nothing has happened.
redis.call('HSETNX', prefix, 'epoch', q.fresh)
local epoch = redis.call('HGET', prefix, 'epoch')
redis.call('HSET', prefix, lease, now + q.lease)
redis.call('ZADD', prefix .. ':owners', now + q.lease, q.owner)
redis.call('HSET', prefix, 'reap', redis.call('ZRANGE', prefix .. ':owners', 0, 0, 'WITHSCORES')[2])
if redis.call('SADD', prefix .. ':ledgers', q.ledger) == 1 then remember() end
remember_spend()
if epoch ~= q.epoch and not known then
  for _, held in ipairs(q.held) do
    local service = service_of(held.service)
    local its = {}
    for _, account in ipairs(held.accounts) do its[#its + 1] = pot_of(account.budget, account.value) end
    -- The ledger knows these calls, so the windows count them already.
    if service then store.hold(service, held, its, false) end
  end
end
for _, service in pairs(services) do store.save(service) end
stand.save()
for _, pot in pairs(pots) do budget.save(pot, now) end
return store.reply({ kind = 'done', epoch = epoch, owners = redis.call('ZCARD', prefix .. ':owners') })
