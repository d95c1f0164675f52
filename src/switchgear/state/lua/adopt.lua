-- adopt: hold a call that left while the state could not be asked, so that settling it counts it. Microseconds,
-- nano-USD (cost -1: unpriced), tokens. Doing it again changes nothing.
local obstacle = store.obstacle()
if obstacle then return store.reply({ kind = obstacle }) end
for _, account in ipairs(q.accounts) do budget.check(account, now) end
if redis.call('HEXISTS', prefix .. ':h:' .. q.owner, q.number) == 0 then
  local service, pots = store.service(q.service), {}
  for i, account in ipairs(q.accounts) do pots[i] = budget.open(prefix, account, now) end
  store.hold(service, q, pots, true)
  store.save(service)
  stand.save()
  for _, pot in ipairs(pots) do budget.save(pot, now) end
end
return store.reply({ kind = 'done' })
