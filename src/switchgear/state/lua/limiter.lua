-- The limits of one service: exact windows, a cap on calls in flight, what its provider asks for, and waiting as a slot
-- in time. Instants and spans in microseconds, the cap's span is 0; counts in requests, tokens and calls.
-- The same rules as policies/limiter.py and line.py; who waits is kept here, so the order holds over all processes.
local limiter = {}
local NEVER = 9007199254740992

local function need(rule, tokens)
  return rule.unit == 'tokens' and tokens or 1
end

function limiter.fresh()
  return { flying = 0, seq = 0, waiting = 0, untold = false }
end

function limiter.open(prefix, name, rules, s)
  local l = { s = s, rules = rules, key = prefix .. ':q:' .. name, windows = {}, touched = {}, woken = {} }
  local shortest = NEVER
  for _, rule in ipairs(rules) do
    if rule.window == 0 then
      l.cap = rule
    else
      l.windows[#l.windows + 1] = { rule = rule, w = cells.open(prefix .. ':w:' .. name .. ':' .. rule.name, rule.window, 1, 3000) }
      shortest = math.min(shortest, rule.window)
    end
  end
  l.shortest = shortest
  return l
end

-- All who wait, in the order of asking.
local function line(l)
  if l.line then return l.line end
  l.line = {}
  if l.s.waiting > 0 then
    local raw = redis.call('HVALS', l.key)
    for i = 1, #raw do l.line[i] = cmsgpack.unpack(raw[i]) end
    table.sort(l.line, function(a, b) return a.seq < b.seq end)
  end
  return l.line
end

local function find(l, place)
  for i, waiter in ipairs(line(l)) do
    if waiter.place == place then return i, waiter end
  end
  return nil
end

local function forget(l, index)
  local waiter = table.remove(l.line, index)
  l.touched[waiter.place] = false
  l.s.waiting = l.s.waiting - 1
end

-- How long a call takes at the configured rate, that of the shortest windows.
local function gap(l, tokens)
  local longest = 0
  for _, one in ipairs(l.windows) do
    local rule = one.rule
    if rule.window == l.shortest then longest = math.max(longest, math.floor(need(rule, tokens) * rule.window / rule.limit)) end
  end
  return longest
end

-- How many in line have a place in flight that is free now.
local function seats(l)
  return l.cap and math.max(0, l.cap.limit - l.s.flying) or NEVER
end

local function new_plan(l, now)
  local plan = { at = now, outlooks = {}, count = 0 }
  for i, one in ipairs(l.windows) do plan.outlooks[i] = cells.outlook(one.w, now) end
  if l.s.pace then plan.pace = pace.outlook(l.s.pace) end
  return plan
end

-- When a call may go after all that are planned, and the rule it waits for.
local function ready(l, plan, tokens, not_before)
  local at, binding = math.max(plan.at, not_before), nil
  if plan.pace then at, binding = pace.ready(plan.pace, at) end
  for i, one in ipairs(l.windows) do
    local units = need(one.rule, tokens)
    local soonest = units > one.rule.limit and NEVER or cells.ready(plan.outlooks[i], one.rule.limit, units, at)
    if soonest > at then at, binding = soonest, one.rule end
  end
  return at, binding
end

local function rewrite(l, waiter, go_at, rule)
  waiter.go_at = go_at
  if (waiter.rule or {}).name ~= (rule or {}).name then
    waiter.rule = rule
    l.touched[waiter.place] = waiter
  end
end

-- The plan, with the first count in line taken in: it writes each one's instant and rule.
local function plan_to(l, count, now)
  l.plan = l.plan or new_plan(l, now)
  local plan, free = l.plan, seats(l)
  for index = plan.count + 1, count do
    local waiter = l.line[index]
    if index > free then
      rewrite(l, waiter, waiter.deadline, l.cap)
    else
      local at, binding = ready(l, plan, waiter.tokens, plan.at)
      waiter.never = at == NEVER
      -- With no limit of its own to wait for, it waits for what the one before it waits for.
      rewrite(l, waiter, waiter.never and plan.at or at, binding or waiter.rule or (l.line[index - 1] or {}).rule)
      if not waiter.never then
        for i, one in ipairs(l.windows) do cells.plan(plan.outlooks[i], need(one.rule, waiter.tokens), at) end
        if plan.pace then pace.plan(plan.pace, waiter.tokens, at, gap(l, waiter.tokens)) end
        plan.at = at
      end
    end
  end
  plan.count = math.max(plan.count, count)
  return plan
end

-- Wake those whose time has come earlier than they know, and the first whose has not come yet.
local function call_up(l, now)
  for index, waiter in ipairs(line(l)) do
    plan_to(l, index, now)
    if waiter.go_at < waiter.told then
      waiter.told = waiter.go_at
      l.touched[waiter.place] = waiter
      l.woken[#l.woken + 1] = waiter.place
    end
    if waiter.go_at > now then return end
  end
  l.s.untold = false
end

local function freed(l, now)
  l.plan = nil
  if l.s.waiting > 0 then
    l.s.untold = true
    call_up(l, now)
  end
end

local function catch_up(l, now)
  if l.s.pace and l.s.waiting == 0 and pace.is_over(l.s.pace, now) then l.s.pace = nil end
  l.plan = nil
end

-- Count calls; return their cells.
function limiter.count(l, at, requests, tokens)
  local taken = {}
  for _, one in ipairs(l.windows) do
    taken[one.rule.name] = cells.take(one.w, at, one.rule.unit == 'tokens' and tokens or requests)
  end
  return taken
end

local function take(l, tokens, now)
  local grant = { tokens = tokens, cells = limiter.count(l, now, 1, tokens) }
  l.s.flying = l.s.flying + 1
  l.plan = nil
  if l.s.pace then pace.took(l.s.pace, tokens, now, gap(l, tokens)) end
  return { kind = 'go', grant = grant }
end

local function has_room(l, tokens, now)
  if l.cap and l.s.flying >= l.cap.limit then return false end
  for _, one in ipairs(l.windows) do
    if cells.used(one.w, now) + need(one.rule, tokens) > one.rule.limit then return false end
  end
  return true
end

-- Whether a call takes no unit of anything, so that nobody is served later for it.
local function is_free(l, tokens)
  if l.cap or l.s.pace then return false end
  for _, one in ipairs(l.windows) do
    if need(one.rule, tokens) > 0 then return false end
  end
  return true
end

local function denied(rule, used, needed, ready_at, never)
  return {
    kind = 'limit', rule = rule.name, unit = rule.unit, limit = rule.limit, window = rule.window, used = used,
    needed = needed, ready_at = ready_at == NEVER and -1 or ready_at, never = never,
  }
end

local function too_large(l, tokens, now)
  for _, one in ipairs(l.windows) do
    local needed = need(one.rule, tokens)
    if needed > one.rule.limit then return denied(one.rule, cells.used(one.w, now), needed, -1, true) end
  end
  return nil
end

-- The rule, or else what the last in line waits for: a newcomer behind it waits for it too.
local function rule_of(l, rule)
  local all = line(l)
  return rule or (#all > 0 and all[#all].rule) or (l.windows[1] or {}).rule or l.cap
end

local function denial(l, rule, tokens, at, now)
  rule = rule_of(l, rule)
  if l.cap and rule.name == l.cap.name then return denied(rule, l.s.flying, 1, at, false) end
  local used = rule.limit
  for _, one in ipairs(l.windows) do
    if one.rule.name == rule.name then used = cells.used(one.w, now) end
  end
  return denied(rule, used, need(rule, tokens), at, false)
end

-- Serve the waiter at an index, or tell it until when to wait, or send it away.
local function answer(l, index, now)
  local waiter = line(l)[index]
  plan_to(l, index, now)
  local seated = index <= seats(l)
  local goes = seated and waiter.go_at <= now
  local waits
  if seated then waits = waiter.go_at <= waiter.deadline else waits = now < waiter.deadline end
  if waits and not goes and not waiter.never then
    waiter.told = waiter.go_at
    l.touched[waiter.place] = waiter
    return { kind = 'wait', place = waiter.place, go_at = waiter.go_at, rule = rule_of(l, waiter.rule).name, standing = not seated }
  end
  forget(l, index)
  if goes and not waiter.never then
    local place = take(l, waiter.tokens, now)
    if l.s.untold then call_up(l, now) end
    return place
  end
  local no = too_large(l, waiter.tokens, now)
    or denial(l, waiter.rule, waiter.tokens, seated and waiter.go_at or NEVER, now)
  freed(l, now)
  return no
end

-- A grant, a place in the queue, or why not.
function limiter.ask(l, place, tokens, now, max_wait)
  catch_up(l, now)
  if (l.s.waiting == 0 and not l.s.pace and has_room(l, tokens, now)) or is_free(l, tokens) then return take(l, tokens, now) end
  local no = too_large(l, tokens, now)
  if no then return no end
  local at, rule = NEVER, l.cap
  if not l.cap or #line(l) < seats(l) then at, rule = ready(l, plan_to(l, #line(l), now), tokens, now) end
  if at <= now then return take(l, tokens, now) end
  if max_wait <= 0 or (at > now + max_wait and not (l.cap and rule and rule.name == l.cap.name)) then
    return denial(l, rule, tokens, at, now)
  end
  local all = line(l)
  plan_to(l, #all, now)
  l.s.seq = l.s.seq + 1
  l.s.waiting = l.s.waiting + 1
  local deadline = now + max_wait
  all[#all + 1] = {
    place = place, seq = l.s.seq, tokens = tokens, asked = now, deadline = deadline, told = deadline, go_at = deadline,
  }
  return answer(l, #all, now)
end

-- Ask again with a place; nil: there is no such place.
function limiter.resume(l, place, now)
  local index = find(l, place)
  if not index then return nil end
  catch_up(l, now)
  return answer(l, index, now)
end

function limiter.withdraw(l, place, now)
  local index = find(l, place)
  if not index then return false end
  forget(l, index)
  freed(l, now)
  return true
end

local function close(l, now)
  l.s.flying = l.s.flying - 1
  freed(l, now)
end

-- Correct a grant to what was really used and free its place in flight.
function limiter.settle(l, grant, tokens, now)
  local surplus = grant.tokens - tokens
  if surplus ~= 0 then
    for _, one in ipairs(l.windows) do
      local cell = grant.cells[one.rule.name]
      if cell and one.rule.unit == 'tokens' then
        if cell == -1 then cells.take(one.w, now, -surplus) else cells.give(one.w, cell, surplus) end
      end
    end
    if l.s.pace then pace.gave(l.s.pace, surplus, 0) end
  end
  close(l, now)
end

-- Undo a grant as if it had never been asked for: nothing was sent.
function limiter.cancel(l, grant, now)
  for _, one in ipairs(l.windows) do
    local cell = grant.cells[one.rule.name]
    if cell then cells.give(one.w, cell, need(one.rule, grant.tokens)) end
  end
  if l.s.pace then pace.gave(l.s.pace, grant.tokens, 1) end
  close(l, now)
end

local function paced(l)
  l.s.pace = l.s.pace or pace.fresh()
  return l.s.pace
end

function limiter.pause(l, till, now)
  pace.pause(paced(l), till, now)
  l.plan = nil
end

-- How much of a unit the limits let go within a span.
local function most(l, unit, span)
  local least = NEVER
  for _, one in ipairs(l.windows) do
    if (one.rule.unit == 'tokens') == (unit == 'tokens') and one.rule.window >= span then least = math.min(least, one.rule.limit) end
  end
  return least
end

-- Hold to what the provider says is left, until it is reset; the latest word counts.
function limiter.observe(l, quotas, now)
  for _, quota in ipairs(quotas) do
    local till = now + quota.resets_in
    if quota.remaining <= 0 then
      paced(l).quotas[quota.unit] = nil
      limiter.pause(l, till, now)
    elseif till > now and quota.remaining < most(l, quota.unit, till - now) then
      pace.quota(paced(l), quota.unit, quota.remaining, till, now)
    elseif l.s.pace then
      l.s.pace.quotas[quota.unit] = nil
    end
  end
  freed(l, now)
end

-- For each limit: its name, what is used, and when one unit, or a call of so many tokens, fits by it alone (-1: now, or
-- never).
function limiter.usage(l, now, tokens)
  local rows = {}
  for _, one in ipairs(l.windows) do
    local units = tokens and need(one.rule, tokens) or 1
    local outlook = cells.outlook(one.w, now)
    local soonest = units > one.rule.limit and now or cells.ready(outlook, one.rule.limit, units, now)
    rows[#rows + 1] = { one.rule.name, one.w.total[1], soonest > now and soonest or -1 }
  end
  if l.cap then rows[#rows + 1] = { l.cap.name, l.s.flying, -1 } end
  return rows
end

function limiter.save(l, now)
  for _, one in ipairs(l.windows) do cells.save(one.w, now) end
  for place, waiter in pairs(l.touched) do
    if waiter then
      redis.call('HSET', l.key, place, cmsgpack.pack(waiter))
    else
      redis.call('HDEL', l.key, place)
    end
  end
end
