-- What a provider asks for: silence until an instant, or no more than a quota until another. Microseconds; quotas in
-- their unit. The same rules as policies/pace.py. It is a part of the service's own numbers.
local pace = {}
local LONGEST_PAUSE = 3600000000

function pace.fresh()
  return { quiet_until = 0, quiet_span = 0, quotas = {}, next_at = 0 }
end

local function resume_at(p, at)
  p.resume = math.max(at, p.resume or at)
  p.next_at = math.max(p.next_at, at)
end

function pace.pause(p, till, now)
  till = math.min(till, now + LONGEST_PAUSE)
  if till > math.max(now, p.quiet_until) then
    p.quiet_until, p.quiet_span = till, till - now
    resume_at(p, till)
  end
end

function pace.quota(p, unit, left, till, now)
  till = math.min(till, now + LONGEST_PAUSE)
  p.quotas[unit] = { left = left, limit = left, till = till, span = till - now }
end

local function after(p, at, next_at, gap)
  if not p.resume or at < p.resume then return next_at end
  return math.max(at, next_at) + gap
end

function pace.took(p, tokens, at, gap)
  for unit, quota in pairs(p.quotas) do quota.left = quota.left - (unit == 'tokens' and tokens or 1) end
  p.next_at = after(p, at, p.next_at, gap)
end

function pace.gave(p, tokens, requests)
  for unit, quota in pairs(p.quotas) do quota.left = quota.left + (unit == 'tokens' and tokens or requests) end
end

function pace.is_over(p, now)
  if now < math.max(p.quiet_until, p.next_at) then return false end
  for _, quota in pairs(p.quotas) do
    if now < quota.till then return false end
  end
  return true
end

-- What is left of it when those in line have gone, one after the other.
function pace.outlook(p)
  local left = {}
  for unit, quota in pairs(p.quotas) do left[unit] = quota.left end
  return { p = p, left = left, next_at = p.next_at }
end

local function quiet(p)
  return { name = 'provider_pause', unit = 'requests', limit = 1, window = p.quiet_span }
end

-- When the next one may go, and what holds it back.
function pace.ready(o, not_before)
  local p = o.p
  local at, rule = not_before, nil
  if p.quiet_until > at then at, rule = p.quiet_until, quiet(p) end
  for unit, quota in pairs(p.quotas) do
    if o.left[unit] <= 0 and quota.till > at then
      at, rule = quota.till, { name = 'provider_' .. unit, unit = unit, limit = quota.limit, window = quota.span }
      resume_at(p, at)
    end
  end
  if p.resume and at >= p.resume and o.next_at > at then
    at, rule = o.next_at, rule or quiet(p)
  end
  return at, rule
end

function pace.plan(o, tokens, at, gap)
  for unit in pairs(o.left) do o.left[unit] = o.left[unit] - (unit == 'tokens' and tokens or 1) end
  o.next_at = after(o.p, at, o.next_at, gap)
end
