-- extend: hold more for a call that turns out larger than its reservation, all or nothing. Microseconds, nano-USD
-- (cost -1: unpriced), tokens; cost and tokens are what the call will have used in all.
if store.is_flushed() then return store.reply({ kind = 'flushed' }) end
local held_key = prefix .. ':h:' .. q.owner
local raw = redis.call('HGET', held_key, q.number)
if not raw then return store.reply({ kind = 'unknown' }) end
for _, account in ipairs(q.accounts) do budget.check(account, now) end

local held = cmsgpack.unpack(raw)
local short = {}
for _, hold in ipairs(held.holds) do
  for _, account in ipairs(q.accounts) do
    local more = (account.rule.unit == 'tokens' and q.tokens or math.max(q.cost, 0)) - hold.amount
    local follows = not account.rule.expected and not account.rule.shadow
    if account.budget == hold.budget and account.value == hold.value and more > 0 and follows then
      short[#short + 1] = { hold = hold, more = more, pot = budget.open(prefix, account, now, hold.start) }
    end
  end
end
for _, one in ipairs(short) do
  if not budget.fits(one.pot, one.more, now) then
    local refusal = budget.refuse(one.pot, one.more, now, true)
    budget.save(one.pot, now)
    return store.reply(refusal)
  end
end
for _, one in ipairs(short) do
  one.pot.v.reserved = one.pot.v.reserved + one.more
  one.hold.amount = one.hold.amount + one.more
  budget.save(one.pot, now)
end
if #short > 0 then redis.call('HSET', held_key, q.number, cmsgpack.pack(held)) end
return store.reply({ kind = 'done' })
