-- Limits that are only evaluated: what they would do to each call that goes, and what they would count if they did.
-- They keep no queue. Instants in microseconds. The same rules as policies/shadow.py.
local shadow = {}

function shadow.open(prefix, name, rules, s)
  s.shadow = s.shadow or { limits = limiter.fresh(), waits = {}, refusals = {} }
  -- No service has a name with a tilde.
  return { s = s.shadow, limiter = limiter.open(prefix, name .. '~shadow', rules, s.shadow.limits) }
end

-- Whether the count-th such call is told by an event: the first, the tenth, the hundredth and so on.
function shadow.is_told(count)
  while count > 0 and count % 10 == 0 do count = count / 10 end
  return count == 1
end

local function would_wait(no, now, max_wait)
  if no.never or max_wait <= 0 then return false end
  return no.ready_at < 0 or no.ready_at <= now + max_wait
end

-- Take what a call takes, or count it; return its grant, nil for none, and what is to be told of it.
function shadow.meet(shade, service, call, now)
  local answer = limiter.ask(shade.limiter, 'shadow', call.tokens, now, 0)
  if answer.kind == 'go' then return answer.grant, {} end
  local waits = would_wait(answer, now, call.max_wait)
  local counts = waits and shade.s.waits or shade.s.refusals
  local count = (counts[answer.rule] or 0) + 1
  counts[answer.rule] = count
  if not shadow.is_told(count) then return nil, {} end
  return nil, {
    {
      kind = 'shadow', service = service, rule = answer.rule, verdict = waits and 'wait' or 'refuse', count = count,
      unit = answer.unit, limit = answer.limit, used = answer.used, needed = answer.needed, at = now,
    },
  }
end

-- Count a call that a shadow budget would have turned away; return what is to be told of it.
function shadow.turn_away(pot, service, amount, now)
  local no = budget.refuse(pot, amount, now, true)
  if not shadow.is_told(pot.v.refused) then return {} end
  return {
    {
      kind = 'shadow', service = service, rule = no.budget, value = no.value, verdict = 'refuse', count = pot.v.refused,
      unit = pot.rule.unit, limit = no.limit, used = no.spent + no.reserved, needed = amount, at = now,
    },
  }
end

-- For each limit: its name, what is used, when a unit or a call of so many tokens fits, and how many would have waited
-- and been refused.
function shadow.usage(shade, now, tokens)
  local rows = limiter.usage(shade.limiter, now, tokens)
  for _, row in ipairs(rows) do
    row[4], row[5] = shade.s.waits[row[1]] or 0, shade.s.refusals[row[1]] or 0
  end
  return rows
end
