-- The circuit of one service: closed, open, half-open, with leased probes and generations.
-- Instants and durations in microseconds; counts in calls. The same rules as policies/breaker.py.
local breaker = {}

function breaker.fresh()
  return { state = 'closed', failures = 0, opened = 0, rejected = 0, till = 0, gen = 0, probes = {}, probe = 1, successes = 0 }
end

function breaker.open(prefix, name, rule, b)
  return { name = name, rule = rule, b = b, key = prefix .. ':o:' .. name, events = {} }
end

local function outcomes(k)
  if not k.w then
    k.w = k.rule.calls > 0 and last_calls.open(k.key, k.rule.calls) or cells.open(k.key, k.rule.window, 3, 200)
  end
  return k.w
end

local function add(k, now, failed, slow)
  local w = outcomes(k)
  if k.rule.calls > 0 then
    last_calls.add(w, failed, slow)
  else
    cells.expire(w, now)
    cells.take(w, now, 1, failed, slow)
  end
end

local function clear(k)
  k.w = nil
  redis.call('DEL', k.key)
end

-- Begin a new generation: results of calls that are under way will say nothing.
local function start(k, state)
  local b = k.b
  b.gen = b.gen + 1
  b.probes = {}
  b.successes = 0
  if state == 'closed' or state == 'forced_open' then
    b.opened, b.failures = 0, 0
    k.clear = true
  end
end

local function go(k, new, reason, now)
  local b = k.b
  local old = b.state
  b.state, b.reason, b.since = new, reason, now
  start(k, new)
  k.events[#k.events + 1] = {
    kind = 'breaker', service = k.name, old = old, new = new, reason = reason, opened = b.opened,
    till = new == 'open' and b.till or -1, at = now,
  }
end

-- How long the circuit stays open this time; draw is a number from 0 to 1 that the client has drawn.
local function wait(k, draw)
  local rule = k.rule
  local span = rule.recovery
  if rule.backoff > 1 then span = math.min(span * rule.backoff ^ k.b.opened, rule.max_recovery) end
  if rule.jitter > 0 then
    span = math.min(span * (1 + rule.jitter * (2 * draw - 1)), math.max(rule.max_recovery, rule.recovery))
  end
  return math.max(1, math.floor(span + 0.5))
end

local function trip(k, reason, now, asked, draw)
  local b = k.b
  b.till = now + math.max(wait(k, draw), asked)
  b.opened = b.opened + 1
  go(k, 'open', reason, now)
end

function breaker.poll(k, now)
  if k.b.state == 'open' and now >= k.b.till then
    go(k, 'half_open', 'the recovery time is over: probing', now)
  end
end

local function under_way(b, now)
  local count = 0
  for _, lease in pairs(b.probes) do
    if lease > now then count = count + 1 end
  end
  return count
end

-- Why a call may not go now, nil if it may.
function breaker.check(k, now)
  local b = k.b
  if b.state == 'closed' then return nil end
  if b.state == 'open' or b.state == 'forced_open' then
    b.rejected = b.rejected + 1
    return {
      kind = 'breaker', ready_at = b.state == 'open' and b.till or -1, reason = b.reason or 'no reason is known',
      failures = b.failures, state = b.state,
    }
  end
  for probe, lease in pairs(b.probes) do
    if lease <= now then b.probes[probe] = nil end
  end
  local count = under_way(b, now)
  if count < k.rule.probes then return nil end
  b.rejected = b.rejected + 1
  return {
    kind = 'breaker', ready_at = -1, failures = b.failures, state = b.state,
    reason = string.format('%d of %d trial calls under way', count, k.rule.probes),
  }
end

-- Leave for one call: its generation, and the number of its probe (0: none).
function breaker.take(k, now)
  local b = k.b
  if b.state == 'closed' then return b.gen, 0 end
  local probe = b.probe
  b.probe = probe + 1
  b.probes[probe] = now + k.rule.lease
  return b.gen, probe
end

-- What speaks for opening, nil if nothing does.
local function objection(k, asked)
  local b, rule, total = k.b, k.rule, outcomes(k).total
  if b.failures >= rule.failures then
    return string.format('%d failures in a row (threshold %d)', b.failures, rule.failures)
  end
  if total[1] >= rule.minimum then
    if total[2] / total[1] >= rule.rate then
      return string.format('%d of %d calls failed %s', total[2], total[1], rule.failed_span)
    end
    if rule.slow >= 0 and total[3] / total[1] >= rule.slow_rate then
      return string.format('%d of %d calls were slow (over %g s) %s', total[3], total[1], rule.slow / 1000000, rule.slow_span)
    end
  end
  if asked > 0 and rule.retry_after == 'honor' then
    return string.format('a call failed, and the service asked to be left alone for %g s', asked / 1000000)
  end
  return nil
end

local function record_probe(k, failed, slow, now, asked, draw)
  local b = k.b
  if failed then
    trip(k, 'a trial call failed', now, asked, draw)
  elseif slow then
    trip(k, 'a trial call was slow', now, 0, draw)
  else
    b.successes = b.successes + 1
    if b.successes >= k.rule.successes then
      go(k, 'closed', string.format('%d trial call%s succeeded', b.successes, b.successes > 1 and 's' or ''), now)
    end
  end
end

-- Take a result in; one of an older generation, or of a probe that lost its lease, says nothing.
function breaker.record(k, held, how, now)
  local b, rule = k.b, k.rule
  if held.gen ~= b.gen then return end
  if held.probe ~= 0 then
    if not b.probes[held.probe] then return end
    b.probes[held.probe] = nil
  end
  if how.verdict == 'neutral' then return end
  local asked = 0
  if how.retry_after > 0 and rule.retry_after ~= 'ignore' then asked = math.min(how.retry_after, rule.max_recovery) end
  if how.verdict == 'throttled' then
    if asked > 0 and rule.retry_after == 'honor' then
      b.till = now + asked
      b.opened = b.opened + 1
      go(k, 'open', string.format('the service asked to be left alone for %g s', asked / 1000000), now)
    end
    return
  end
  local failed = how.verdict == 'failure'
  local slow = rule.slow >= 0 and now - held.since > rule.slow
  if held.probe ~= 0 then
    record_probe(k, failed, slow, now, asked, how.draw)
    return
  end
  add(k, now, failed and 1 or 0, slow and 1 or 0)
  b.failures = failed and b.failures + 1 or 0
  local reason = objection(k, failed and asked or 0)
  if reason then trip(k, reason, now, failed and asked or 0, how.draw) end
end

-- What an operator says: new is the state that it leads to.
function breaker.obey(k, order, new, reason, now)
  if order == 'reset' then k.b.rejected = 0 end
  if k.b.state ~= new then
    go(k, new, reason, now)
  elseif new == 'closed' then
    start(k, new)
  end
end

function breaker.remember(k, past)
  local b = k.b
  b.state, b.till, b.opened, b.reason, b.since = past.state, past.till, past.opened, past.reason, past.at
  b.gen = b.gen + 1
end

function breaker.view(k, now)
  local b = k.b
  local w = outcomes(k)
  if k.rule.calls == 0 then cells.expire(w, now) end
  return {
    state = b.state, since = b.since or -1, failures = b.failures, calls = w.total[1], failed = w.total[2],
    opened = b.opened, rejected = b.rejected, till = b.till, probes = under_way(b, now), reason = b.reason,
  }
end

function breaker.save(k, now)
  if k.clear then
    clear(k)
  elseif k.w and k.rule.calls > 0 then
    last_calls.save(k.w)
  elseif k.w then
    cells.save(k.w, now)
  end
end
