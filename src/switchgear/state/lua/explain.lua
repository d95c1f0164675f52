-- explain: what admit would answer, with every number that it looks at. It asks the same rules in the same order, and
-- saves nothing of what they did. Microseconds, nano-USD (cost -1: unpriced), tokens.
local obstacle = store.obstacle()
if obstacle then return store.reply({ kind = obstacle }) end
for _, account in ipairs(q.accounts) do budget.check(account, now) end

local service = store.service(q.service)
local l, k = service.limiter, service.breaker
local seen = { breaker = breaker.view(k, now), limits = limiter.usage(l, now), waiting = service.s.waiting }
local ready, shadow_ready = limiter.usage(l, now, q.tokens), nil
if service.shade then
  seen.shadow, shadow_ready = shadow.usage(service.shade, now), shadow.usage(service.shade, now, q.tokens)
end

local answer = limiter.ask(l, 'explain', q.tokens, now, q.max_wait)
breaker.poll(k, now)
local rejection = breaker.check(k, now)

local accounts, no = {}, nil
for i, account in ipairs(q.accounts) do
  local pot = budget.open(prefix, account, now)
  local needed = budget.need(pot, q)
  local view = budget.view(pot, now)
  view.needed = needed
  if not budget.fits(pot, needed, now) then
    view.no = budget.refuse(pot, needed, now, false)
    no = no or not pot.rule.shadow and view.no or nil
  end
  accounts[i] = view
end

if answer.kind ~= 'limit' then answer = rejection or no or answer end
answer.grant = nil
return store.reply({
  kind = 'explained', answer = answer, service = seen, ready = ready, shadow_ready = shadow_ready, passes = not rejection, accounts = accounts,
})
