-- views: everything that can be looked at; changes nothing but the list of accounts, from which it drops those that
-- are no more. Microseconds, nano-USD, tokens.
budget.changed = redis.call('HGET', prefix, 'limits')
for _, one in pairs(q.budgets) do budget.check(one, now) end
local services, accounts = {}, {}
for name, rules in pairs(q.services) do
  local service = store.service(rules)
  services[name] = {
    breaker = breaker.view(service.breaker, now), limits = limiter.usage(service.limiter, now), waiting = service.s.waiting,
    shadow = service.shade and shadow.usage(service.shade, now),
  }
end
local function view(name, value)
  local pot = budget.open(prefix, store.account(name, value), now)
  if pot.new and value then
    redis.call('SREM', prefix .. ':accounts', cmsgpack.pack({ name, value }))
    return
  end
  accounts[#accounts + 1] = budget.view(pot, now)
end
for _, member in ipairs(redis.call('SMEMBERS', prefix .. ':accounts')) do
  local account = cmsgpack.unpack(member)
  if q.budgets[account[1]] and account[2] then view(account[1], account[2]) end
end
for name, one in pairs(q.budgets) do
  if not one.rule.each then view(name, nil) end
end
return store.reply({ services = services, accounts = accounts })
