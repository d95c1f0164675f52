-- How far a call has come that falls under scopes: limits of its own besides its service's. The same rules as
-- state/scopes.py: the scopes are asked first and the service last; who waits stands in one line only; what was granted
-- before the call could go is counted anew when it goes. Microseconds, tokens.
local stand = { opened = {}, rules = {} }

-- list: the scopes that the request speaks of, each with its limits.
function stand.begin(prefix, now, list)
  stand.prefix, stand.now = prefix, now
  for _, one in ipairs(list or {}) do stand.rules[one.name] = one.limits end
end

-- A scope, with the limits that the request says, or else those that were last said.
function stand.open(name)
  if stand.opened[name] then return stand.opened[name] end
  local key = stand.prefix .. ':s:' .. name
  local raw = redis.call('GET', key)
  local s = raw and cmsgpack.unpack(raw) or limiter.fresh()
  s.rules = stand.rules[name] or s.rules or {}
  local scope = { key = key, name = name, s = s, new = not raw, limiter = limiter.open(stand.prefix, name, s.rules, s) }
  stand.opened[name] = scope
  return scope
end

function stand.save()
  for _, scope in pairs(stand.opened) do
    limiter.save(scope.limiter, stand.now)
    if scope.new then redis.call('SADD', stand.prefix .. ':scopes', scope.name) end
    redis.call('SET', scope.key, cmsgpack.pack(scope.s))
  end
end

-- Add those whom the scopes let go earlier to a list.
function stand.woken(list)
  for _, scope in pairs(stand.opened) do
    for _, place in ipairs(scope.limiter.woken) do list[#list + 1] = place end
  end
  return list
end

function stand.new(list, service, deadline)
  local t = { scopes = {}, service = service, deadline = deadline, grants = {}, taken = {} }
  for i, one in ipairs(list) do t.scopes[i] = stand.open(one.name) end
  return t
end

local function stands(owner)
  return stand.prefix .. ':t:' .. owner
end

-- Take up what was kept for a place; nil: nothing was. find tells a service by its name.
function stand.take(owner, number, find)
  local raw = redis.call('HGET', stands(owner), number)
  if not raw then return nil end
  redis.call('HDEL', stands(owner), number)
  local t = cmsgpack.unpack(raw)
  t.service = find(t.name)
  t.scopes = {}
  for i, name in ipairs(t.names) do t.scopes[i] = stand.open(name) end
  return t
end

function stand.keep(t, owner)
  local names = {}
  for i, scope in ipairs(t.scopes) do names[i] = scope.name end
  redis.call('HSET', stands(owner), string.match(t.place, '[^:]+$'), cmsgpack.pack({
    name = t.service.name, names = names, grants = t.grants, taken = t.taken, place = t.place, deadline = t.deadline,
  }))
end

local function limiter_at(t, i)
  local one = t.scopes[i] or t.service
  return one and one.limiter
end

local function cancel(t)
  for i, grant in ipairs(t.grants) do
    if limiter_at(t, i) then limiter.cancel(limiter_at(t, i), grant, stand.now) end
  end
  t.grants, t.taken = {}, {}
end

-- Give back what was granted, and the place in line.
function stand.give_back(t)
  local l = limiter_at(t, #t.grants + 1)
  if t.place and l then limiter.withdraw(l, t.place, stand.now) end
  t.place = nil
  cancel(t)
end

local function renewed(t)
  for i, grant in ipairs(t.grants) do
    if t.taken[i] ~= stand.now and not limiter.renew(limiter_at(t, i), grant, stand.now) then return false end
  end
  return true
end

-- Ask on: the service's grant once everybody has said yes, or a place in a line, or a no that gives everything back.
function stand.advance(t, place, tokens)
  while true do
    local answer
    for i = #t.grants + 1, #t.scopes + 1 do
      local l = limiter_at(t, i)
      answer = t.place and limiter.resume(l, t.place, stand.now)
      t.place = nil
      answer = answer or limiter.ask(l, place, tokens, stand.now, math.max(0, t.deadline - stand.now))
      if answer.kind ~= 'go' then
        answer.scope = t.scopes[i] and t.scopes[i].name
        if answer.kind == 'wait' then t.place = answer.place else cancel(t) end
        return answer
      end
      t.grants[i], t.taken[i] = answer.grant, stand.now
    end
    if renewed(t) then return answer end
    -- A window has moved on while another was waited for, and has no room any more.
    cancel(t)
  end
end

-- What an admission holds of its scopes.
function stand.held(t)
  local held = {}
  for i, scope in ipairs(t and t.scopes or {}) do held[i] = { name = scope.name, cells = t.grants[i].cells } end
  return held
end

-- Hold in scopes what a call holds that the state did not admit itself, or has lost; windows: whether they count it.
function stand.hold(list, tokens, windows)
  local held = {}
  for i, one in ipairs(list or {}) do
    stand.rules[one.name] = stand.rules[one.name] or one.limits
    local scope = stand.open(one.name)
    scope.s.flying = scope.s.flying + 1
    held[i] = { name = one.name, cells = windows and limiter.count(scope.limiter, stand.now, 1, tokens) or {} }
  end
  return held
end

-- Settle what an admission holds of its scopes to the tokens used; nil: undo it.
function stand.finish(held, tokens)
  for _, one in ipairs(held.scopes or {}) do
    local l, grant = stand.open(one.name).limiter, { tokens = held.tokens, cells = one.cells }
    if tokens then limiter.settle(l, grant, tokens, stand.now) else limiter.cancel(l, grant, stand.now) end
  end
end
