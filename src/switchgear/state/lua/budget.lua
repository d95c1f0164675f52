-- What one account has spent and holds in one period. Instants and spans in microseconds; money in nano-USD, which
-- stays below 2^53 (the client refuses larger limits); tokens in tokens. The same rules as policies/budget.py.
local budget = {}

-- Whether somebody has changed a limit since the configuration was read; every verb finds that out as it begins.
budget.changed = false

-- Stop, before anything is written, where a client has named neither the period that holds now nor the one before.
function budget.check(account, now)
  if account.finish >= 0 and (now < account.start or now >= account.next) then
    error({ err = string.format('STALE %.0f', now) })
  end
end

function budget.id(budget_name, value)
  return value and budget_name .. '\0' .. value or budget_name
end

-- The rule, with the limit that somebody has set since the configuration was read.
local function in_force(prefix, account)
  local rule = account.rule
  if not budget.changed then return rule.limit, rule.marks end
  local raw = redis.call('HGET', prefix .. ':limits', account.budget)
  if raw then
    local set = cmsgpack.unpack(raw)
    if set.configured == rule.limit then return set.limit, set.marks end
  end
  return rule.limit, rule.marks
end

-- The account in the period that holds now: the one that the client named or the one after it; or in the one that
-- begins at start, for who holds something in it.
function budget.open(prefix, account, now, start)
  local p = { rule = account.rule, account = account, prefix = prefix, start = account.start, finish = account.finish }
  if p.finish >= 0 and now >= p.finish then p.start, p.finish = account.finish, account.next end
  local over = start and start ~= p.start
  if over then p.start, p.finish = start, now end
  p.id = budget.id(account.budget, account.value)
  -- Not by string.format: it ends at the zero byte.
  p.key = prefix .. ':b:' .. string.format('%.0f', p.start) .. ':' .. p.id
  local raw = redis.call('GET', p.key)
  p.new = not raw
  p.v = raw and cmsgpack.unpack(raw) or { spent = 0, reserved = 0, holders = 0, unpriced = 0, refused = 0, passed = 0 }
  if over then
    -- A period that is over keeps the limit that it had.
    p.limit, p.marks = p.v.limit or p.rule.limit, p.v.marks or p.rule.marks
  else
    p.limit, p.marks = in_force(prefix, account)
  end
  if p.rule.rolling > 0 then p.w = cells.open(prefix .. ':r:' .. p.id, p.rule.rolling, 1, 3000) end
  return p
end

function budget.spent(p, now)
  if not p.w then return p.v.spent end
  cells.expire(p.w, now)
  return p.w.total[1]
end

function budget.fits(p, amount, now)
  return not p.rule.hard or budget.spent(p, now) + p.v.reserved + amount <= p.limit
end

-- What a call holds: its worst case, or what is expected of it (-1: not known).
function budget.need(p, call)
  local soft = p.rule.expected
  if p.rule.unit == 'tokens' then return soft and call.expected_tokens >= 0 and call.expected_tokens or call.tokens end
  if soft and call.expected_cost >= 0 then return call.expected_cost end
  return math.max(call.cost, 0)
end

function budget.reserve(p, amount)
  p.v.reserved = p.v.reserved + amount
  p.v.holders = p.v.holders + 1
end

function budget.release(p, amount)
  p.v.reserved = p.v.reserved - amount
  p.v.holders = p.v.holders - 1
end

-- The refusal of an account that has no room; counted: it is a call turned away.
function budget.refuse(p, amount, now, counted)
  if counted then p.v.refused = p.v.refused + 1 end
  local ready = -1
  local held = amount + p.v.reserved
  if p.w and held <= p.limit then
    ready = cells.ready(cells.outlook(p.w, now), p.limit, held, now)
  end
  return {
    kind = 'budget', budget = p.account.budget, value = p.account.value, need = amount, spent = budget.spent(p, now),
    reserved = p.v.reserved, limit = p.limit, start = p.start, finish = p.finish, ready_at = ready,
  }
end

function budget.view(p, now)
  return {
    budget = p.account.budget, value = p.account.value, spent = budget.spent(p, now), reserved = p.v.reserved,
    start = p.start, finish = p.finish, unpriced = p.v.unpriced, refused = p.v.refused, limit = p.limit,
  }
end

function budget.add(p, amount, now)
  if not p.w then
    p.v.spent = p.v.spent + amount
  elseif amount > 0 then
    cells.expire(p.w, now)
    cells.take(p.w, now, amount)
  end
end

local function passed(marks, spent)
  local count = 0
  while marks[count + 1] and marks[count + 1] <= spent do count = count + 1 end
  return count
end

-- The crossings since the last time somebody looked.
function budget.cross(p, now)
  local before, spent = p.v.passed, budget.spent(p, now)
  local count = passed(p.marks, spent)
  if count < before and p.w then
    -- What expires bit by bit would cross again with every call: first it has to fall clearly below.
    count = math.min(before, passed(p.marks, spent + math.floor(p.limit / 20)))
  end
  p.v.passed = count
  local events = {}
  for i = before + 1, count do
    events[#events + 1] = {
      kind = 'budget', budget = p.account.budget, value = p.account.value, threshold = p.rule.thresholds[i], used = spent,
      limit = p.limit, unit = p.rule.unit, at = now, shadow = p.rule.shadow,
    }
  end
  return events
end

-- Replace what was held by what was used (-1: unpriced).
function budget.settle(p, held, actual, now)
  budget.release(p, held)
  if actual < 0 then
    p.v.unpriced = p.v.unpriced + 1
    return {}
  end
  budget.add(p, actual, now)
  return budget.cross(p, now)
end

-- Hold to another limit from now on.
function budget.change(p, limit, marks, now)
  local raised = limit > p.limit
  p.limit, p.marks = limit, marks
  if raised then p.v.passed = passed(marks, budget.spent(p, now)) end
  return budget.cross(p, now)
end

-- Whether nothing would be lost without it.
local function idle(p, now)
  return p.v.holders == 0 and p.v.unpriced == 0 and budget.spent(p, now) == 0
end

-- Free one of the values of an each that holds and has counted nothing; tell whether it is.
function budget.leave(p, now)
  if not p.account.value or not idle(p, now) then return false end
  if not p.new then
    redis.call('DEL', p.key)
    redis.call('SREM', p.prefix .. ':accounts', cmsgpack.pack({ p.account.budget, p.account.value }))
  end
  return true
end

-- Others are freed when their period is over.
function budget.save(p, now, keep)
  if p.w then cells.save(p.w, now) end
  if not keep and budget.leave(p, now) then return end
  if p.account.value and p.new then
    redis.call('SADD', p.prefix .. ':accounts', cmsgpack.pack({ p.account.budget, p.account.value }))
  end
  if p.limit ~= p.rule.limit then p.v.limit, p.v.marks = p.limit, p.marks else p.v.limit, p.v.marks = nil, nil end
  local till = p.w and now + p.rule.rolling or p.finish
  if till < 0 or p.v.holders > 0 then
    redis.call('SET', p.key, cmsgpack.pack(p.v))
  else
    redis.call('SET', p.key, cmsgpack.pack(p.v), 'PX', math.ceil(math.max(till - now, 0) / 1000) + 60000)
  end
end
