-- set_limit: give a budget, for every value of its each, another limit. Nano-USD or tokens. It holds as long as the
-- configured limit stays the same.
local obstacle = store.obstacle()
if obstacle then return store.reply({ kind = obstacle }) end
local account = q.accounts[1]
budget.check(account, now)
local old = account.rule.limit
local events, pots = {}, {}
local function change(value)
  local one = { budget = account.budget, value = value, rule = account.rule, start = account.start, finish = account.finish, next = account.next }
  local pot = budget.open(prefix, one, now)
  old = pot.limit
  if not pot.new then
    store.append(events, budget.change(pot, q.limit, q.marks, now))
    pots[#pots + 1] = pot
  end
end
change(nil)
for _, member in ipairs(redis.call('SMEMBERS', prefix .. ':accounts')) do
  local known = cmsgpack.unpack(member)
  if known[1] == account.budget and known[2] then change(known[2]) end
end
redis.call('HSET', prefix, 'limits', 1)
redis.call('HSET', prefix .. ':limits', account.budget, cmsgpack.pack({ limit = q.limit, marks = q.marks, configured = account.rule.limit }))
for _, pot in ipairs(pots) do budget.save(pot, now, true) end
return store.reply({ kind = 'done', old = old, crossings = events })
