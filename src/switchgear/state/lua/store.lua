-- What every verb begins with: the time, who is asking, and one service's numbers. Microseconds throughout.
-- KEYS[1] is {namespace}; every other key begins with it, so that all of them live in one slot of a cluster.
-- ARGV[1] is the request (MessagePack). Its now is 0, except in tests: then the server's time counts.
local prefix = KEYS[1]
local q = cmsgpack.unpack(ARGV[1])
local now = q.now
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local store = {}

-- Why this verb can't be done now, nil if it can: the state was flushed, this process's lease has lapsed, or
-- another's has and what it held must be settled first.
function store.obstacle()
  local meta = redis.call('HMGET', prefix, 'epoch', 'limits', 'lease:' .. q.owner, 'reap')
  if meta[1] ~= q.epoch then return 'flushed' end
  budget.changed = meta[2]
  if not meta[3] then return 'lapsed' end
  if now >= tonumber(meta[4]) then return 'reap' end
  return nil
end

-- The same for verbs that only need the state to be the one that they know.
function store.is_flushed()
  local meta = redis.call('HMGET', prefix, 'epoch', 'limits')
  budget.changed = meta[2]
  return meta[1] ~= q.epoch
end

function store.service(rules)
  local key = prefix .. ':s:' .. rules.name
  local raw = redis.call('GET', key)
  local s = raw and cmsgpack.unpack(raw) or limiter.fresh()
  if not raw then s.breaker = breaker.fresh() end
  return {
    key = key, s = s, name = rules.name,
    limiter = limiter.open(prefix, rules.name, rules.limits, s),
    breaker = breaker.open(prefix, rules.name, rules.breaker, s.breaker),
    shade = rules.shadow and shadow.open(prefix, rules.name, rules.shadow, s),
  }
end

function store.save(service)
  limiter.save(service.limiter, now)
  breaker.save(service.breaker, now)
  if service.shade then limiter.save(service.shade.limiter, now) end
  redis.call('SET', service.key, cmsgpack.pack(service.s))
end

-- The account of one of the configured budgets; nil for one that is configured no more.
function store.account(name, value)
  local one = q.budgets[name]
  return one and { budget = name, value = value, rule = one.rule, start = one.start, finish = one.finish, next = one.next }
end

-- The pots in which a call holds something, as far as their budgets are still configured, and what it holds there.
function store.pots_of(held, find)
  local pots, holds = {}, {}
  for _, hold in ipairs(held.holds) do
    local pot = find(hold)
    if pot then
      pots[#pots + 1] = pot
      holds[#holds + 1] = hold
    end
  end
  return pots, holds
end

-- Hold what a call holds that the state did not admit itself, or has lost; windows: whether they are to count it too.
function store.hold(service, held, pots, windows)
  local holds, taken = {}, {}
  for i, pot in ipairs(pots) do
    local amount = budget.need(pot, held)
    budget.reserve(pot, amount)
    holds[i] = { budget = pot.account.budget, value = pot.account.value, start = pot.start, amount = amount }
  end
  if windows then taken = limiter.count(service.limiter, now, 1, held.tokens) end
  service.s.flying = service.s.flying + 1
  redis.call('HSET', prefix .. ':h:' .. q.owner, held.number, cmsgpack.pack({
    -- Its circuit has not let it go: generation -1 is none.
    service = service.name, tokens = held.tokens, cost = held.cost, cells = taken, gen = -1, probe = 0, holds = holds,
    since = now,
  }))
end

-- Undo (cancelled) or settle what an admission holds.
function store.finish(service, held, pots, holds, how)
  local grant = { tokens = held.tokens, cells = held.cells }
  local shade = held.shadow and service.shade and { tokens = held.tokens, cells = held.shadow }
  local events = {}
  if how.cancelled then
    breaker.record(service.breaker, held, { verdict = 'neutral', retry_after = 0 }, now)
    limiter.cancel(service.limiter, grant, now)
    if shade then limiter.cancel(service.shade.limiter, shade, now) end
    for i, hold in ipairs(holds) do budget.release(pots[i], hold.amount) end
    return events
  end
  local tokens = how.tokens or held.tokens
  limiter.settle(service.limiter, grant, tokens, now)
  if shade then limiter.settle(service.shade.limiter, shade, tokens, now) end
  if how.quotas then limiter.observe(service.limiter, how.quotas, now) end
  if how.pause and how.verdict == 'failure' then limiter.pause(service.limiter, now + how.retry_after, now) end
  for i, hold in ipairs(holds) do
    store.append(events, budget.settle(pots[i], hold.amount, pots[i].rule.unit == 'tokens' and tokens or how.cost, now))
  end
  breaker.record(service.breaker, held, how, now)
  return events
end

function store.reply(answer)
  answer.now = now
  return cmsgpack.pack(answer)
end

function store.append(list, more)
  for _, one in ipairs(more) do list[#list + 1] = one end
  return list
end
