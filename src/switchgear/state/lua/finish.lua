-- finish: settle or cancel one admission, once. Microseconds, nano-USD (cost -1: unpriced), tokens (-1: as reserved).
if store.is_flushed() then return store.reply({ kind = 'flushed' }) end
local held_key = prefix .. ':h:' .. q.owner
local raw = redis.call('HGET', held_key, q.number)
if not raw then return store.reply({ kind = 'unknown' }) end
for _, account in ipairs(q.accounts) do budget.check(account, now) end

local held = cmsgpack.unpack(raw)
local service = store.service(q.service)
local pots, holds = store.pots_of(held, function(hold)
  for _, account in ipairs(q.accounts) do
    if account.budget == hold.budget and account.value == hold.value then
      return budget.open(prefix, account, now, hold.start)
    end
  end
end)
local how = {
  cancelled = q.cancelled, tokens = q.tokens >= 0 and q.tokens or nil, cost = q.cost, verdict = q.verdict,
  retry_after = q.retry_after, pause = q.pause, quotas = q.quotas, draw = q.draw,
}
local events = store.append(store.finish(service, held, pots, holds, how), service.breaker.events)
store.save(service)
stand.save()
for _, pot in ipairs(pots) do budget.save(pot, now) end
redis.call('HDEL', held_key, q.number)
return store.reply({ kind = 'done', events = events, woken = stand.woken(service.limiter.woken) })
