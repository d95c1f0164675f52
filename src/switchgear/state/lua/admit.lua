-- admit: limits, breaker and budgets in this order, all or nothing. Microseconds, nano-USD (cost -1: unpriced), tokens.
local obstacle = store.obstacle()
if obstacle then return store.reply({ kind = obstacle }) end
-- A request that comes when nobody waits for its answer any more would hold for nobody.
if now > q.till then return store.reply({ kind = 'late' }) end
for _, account in ipairs(q.accounts) do budget.check(account, now) end

local held_key = prefix .. ':h:' .. q.owner
local service = store.service(q.service)
local l, k = service.limiter, service.breaker

local function answered(answer)
  answer.events, answer.woken = k.events, l.woken
  return store.reply(answer)
end

if q.again then
  -- The first try may have got here without its answer getting back.
  if redis.call('HEXISTS', held_key, q.number) == 1 then return answered({ kind = 'go' }) end
  if not q.slot then limiter.withdraw(l, q.owner .. ':' .. q.number, now) end
end

breaker.poll(k, now)
local place
if q.slot then place = limiter.resume(l, q.owner .. ':' .. q.slot, now) end
place = place or limiter.ask(l, q.owner .. ':' .. q.number, q.tokens, now, q.max_wait)

local function give_back()
  if place.kind == 'go' then
    limiter.cancel(l, place.grant, now)
  else
    limiter.withdraw(l, place.place, now)
  end
end

if place.kind == 'limit' then
  store.save(service)
  return answered(place)
end
local rejection = breaker.check(k, now)
if rejection then
  give_back()
  store.save(service)
  return answered(rejection)
end

local pots, amounts, shaded = {}, {}, {}
for i, account in ipairs(q.accounts) do
  local pot = budget.open(prefix, account, now)
  pots[i], amounts[i] = pot, budget.need(pot, q)
  local fits = budget.fits(pot, amounts[i], now)
  shaded[i] = not fits and pot.rule.shadow
  if not fits and not pot.rule.shadow then
    local refusal = budget.refuse(pot, amounts[i], now, not (q.can_degrade and pot.rule.action == 'degrade'))
    give_back()
    store.save(service)
    budget.save(pot, now)
    for _, other in ipairs(pots) do budget.leave(other, now) end
    return answered(refusal)
  end
end
if place.kind == 'wait' then
  store.save(service)
  for _, pot in ipairs(pots) do budget.leave(pot, now) end
  return answered(place)
end

local gen, probe = breaker.take(k, now)
local holds, seen = {}, nil
if service.shade then
  local told
  seen, told = shadow.meet(service.shade, service.name, q, now)
  store.append(k.events, told)
end
for i, pot in ipairs(pots) do
  if shaded[i] then
    store.append(k.events, shadow.turn_away(pot, service.name, amounts[i], now))
  else
    budget.reserve(pot, amounts[i])
    holds[#holds + 1] = {
      budget = pot.account.budget, value = pot.account.value, start = pot.start, amount = amounts[i],
    }
  end
  budget.save(pot, now)
end
local held = {
  service = service.name, tokens = q.tokens, cost = q.cost, cells = place.grant.cells, gen = gen, probe = probe,
  holds = holds, since = now, shadow = seen and seen.cells,
}
store.save(service)
redis.call('HSET', held_key, q.number, cmsgpack.pack(held))
return answered({ kind = 'go' })
