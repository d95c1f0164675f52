-- explain: what admit would answer, with every number that it looks at. It asks the same rules in the same order, and
-- saves nothing of what they did. Microseconds, nano-USD (cost -1: unpriced), tokens.
local obstacle = store.obstacle()
if obstacle then return store.reply({ kind = obstacle }) end
for _, account in ipairs(q.accounts) do budget.check(account, now) end

local service = store.service(q.service)
local l, k = service.limiter, service.breaker
local seen = { breaker = breaker.view(k, now), limits = limiter.usage(l, now), waiting = service.s.waiting }
local ready = limiter.usage(l, now, q.tokens)

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
    no = no or view.no
  end
  accounts[i] = view
end

if answer.kind ~= 'limit' then answer = rejection or no or answer end
answer.grant = nil
return store.reply({
  kind = 'explained', answer = answer, service = seen, ready = ready, passes = not rejection, accounts = accounts,
})
