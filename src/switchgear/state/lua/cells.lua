-- Cells of exact windows: what happened lately, coalesced, each cell expiring with its newest event.
-- Instants and spans in microseconds; counts in what the window counts (requests, tokens, nano-USD, calls): whole
-- numbers below 2^53, which a double holds exactly.
-- A window is one string: a head of 12 doubles (first, last and base cell, three totals, the end of the newest cell, the
-- instant of the oldest, and the newest cell itself), then its other cells. So most calls read and write the head alone.
-- The numbers of cells begin at the instant of the first and only grow, so that a grant never meets another's cell.
-- Of 3,000 cells with one count the string has at most 64 KB.
local cells = {}
local NOWHERE = -1
local HEAD = 96
local FORMAT = '>dddddddddddd'
local DEAD = 1000

function cells.open(key, span, columns, parts)
  local w = { key = key, span = span, columns = columns, size = 8 * (columns + 1), cell = {}, dirty = {} }
  w.grain = columns == 1 and math.ceil(span / parts) or math.max(1, math.floor(span / parts))
  local raw = redis.call('GETRANGE', key, 0, HEAD - 1)
  w.total = { 0, 0, 0 }
  if #raw == HEAD then
    local newest = {}
    w.first, w.last, w.base, w.total[1], w.total[2], w.total[3], w.ends, w.oldest, newest[1], newest[2], newest[3], newest[4] =
      struct.unpack(FORMAT, raw)
    w.cell[w.last] = newest
  end
  return w
end

local function fetch(w, from, to)
  -- The newest is in the head; its place here is filled when it is the newest no more.
  local start = HEAD + (from - w.base) * w.size
  local raw = redis.call('GETRANGE', w.key, start, start + (to - from + 1) * w.size - 1)
  local place = 1
  for i = from, to do
    if #raw - place + 1 < w.size then return end
    local cell = {}
    if w.columns == 1 then
      cell[1], cell[2], place = struct.unpack('>dd', raw, place)
    else
      cell[1], cell[2], cell[3], cell[4], place = struct.unpack('>dddd', raw, place)
    end
    w.cell[i] = w.cell[i] or cell
  end
end

local function get(w, i)
  if not w.cell[i] then fetch(w, i, i) end
  return w.cell[i]
end

-- The same for a walk from the oldest on: later walks need more of it.
local function walk(w, i)
  if not w.cell[i] then fetch(w, i, math.min(w.last, i + 63)) end
  return w.cell[i]
end

local function touch(w, i)
  w.dirty[i] = true
  w.changed = true
end

local function count(w, cell, sign)
  for column = 1, w.columns do
    w.total[column] = w.total[column] + sign * cell[column + 1]
  end
end

function cells.expire(w, now)
  local edge = now - w.span
  if not w.first or w.oldest > edge then return end
  local first = w.first
  while w.first <= w.last do
    -- Mostly one cell or none goes.
    local cell = w.first < first + 2 and get(w, w.first) or walk(w, w.first)
    if cell[1] > edge then
      w.oldest = cell[1]
      return
    end
    count(w, cell, -1)
    w.first = w.first + 1
  end
end

function cells.used(w, now)
  cells.expire(w, now)
  return w.total[1]
end

-- Count at an instant, or with the newest event if that is later; return the cell's number. A cell with one count
-- lasts from its first event; those with more lie on a grid.
function cells.take(w, at, a, b, c)
  if w.columns == 1 and a <= 0 then return NOWHERE end
  local added = { at, a, b or 0, c or 0 }
  count(w, added, 1)
  w.changed = true
  if w.first and w.first <= w.last then
    local newest = w.cell[w.last]
    if at < w.ends then
      newest[1] = math.max(at, newest[1])
      for column = 2, w.columns + 1 do newest[column] = newest[column] + added[column] end
      if w.first == w.last then w.oldest = newest[1] end
      return w.last
    end
    w.dirty[w.last] = true
    w.last = w.last + 1
  else
    w.oldest = at
    if w.first then
      w.last = w.first
    else
      w.first, w.last, w.base = at, at, at
    end
  end
  w.ends = (w.columns == 1 and at or at - at % w.grain) + w.grain
  w.cell[w.last] = added
  w.appended = true
  return w.last
end

-- What a window will hold when those in line have gone, one after the other: instants are asked for in rising order.
function cells.outlook(w, now)
  cells.expire(w, now)
  return { w = w, i = w.first or 1, live = w.total[1], planned = {}, p = 1 }
end

local function upcoming(o, i, p)
  if o.w.first and i <= o.w.last then return walk(o.w, i), i + 1, p end
  return o.planned[p], i, p + 1
end

-- The first instant from not_before on at which units (at most limit) more fit.
function cells.ready(o, limit, units, not_before)
  local missing = o.live + units - limit
  local ready, i, p = not_before, o.i, o.p
  local cell
  while missing > 0 do
    cell, i, p = upcoming(o, i, p)
    missing = missing - cell[2]
    ready = cell[1] + o.w.span
  end
  return math.max(ready, not_before)
end

function cells.plan(o, units, at)
  if units <= 0 then return end
  local edge = at - o.w.span
  while true do
    local cell, i, p = upcoming(o, o.i, o.p)
    if not cell or cell[1] > edge then break end
    o.live, o.i, o.p = o.live - cell[2], i, p
  end
  o.planned[#o.planned + 1] = { at, units }
  o.live = o.live + units
end

-- Take units off a cell (negative: add); one that has expired credits nothing.
function cells.give(w, i, units)
  if not w.first or i < w.first or i > w.last then return end
  local cell = get(w, i)
  cell[2] = cell[2] - units
  w.total[1] = w.total[1] - units
  touch(w, i)
end

local function packed(w, cell)
  if w.columns == 1 then return struct.pack('>dd', cell[1], cell[2]) end
  return struct.pack('>dddd', cell[1], cell[2], cell[3], cell[4])
end

function cells.save(w, now)
  if not w.changed then return end
  if not w.first or w.first > w.last then
    redis.call('DEL', w.key)
    return
  end
  local alive = ''
  if w.first - w.base > DEAD then
    alive = redis.call('GETRANGE', w.key, HEAD + (w.first - w.base) * w.size, HEAD + (w.last - w.base + 1) * w.size - 1)
    w.base = w.first
    redis.call('DEL', w.key)
  end
  local newest = w.cell[w.last]
  local head = struct.pack(
    FORMAT, w.first, w.last, w.base, w.total[1], w.total[2], w.total[3], w.ends, w.oldest, newest[1], newest[2], newest[3],
    newest[4]
  )
  redis.call('SETRANGE', w.key, 0, head .. alive)
  for i in pairs(w.dirty) do
    if i >= w.first and i < w.last then
      redis.call('SETRANGE', w.key, HEAD + (i - w.base) * w.size, packed(w, w.cell[i]))
    end
  end
  -- Until a new cell begins, the newest can become younger by the length of a cell at most.
  if w.appended or alive ~= '' then
    redis.call('PEXPIRE', w.key, math.ceil((newest[1] - now + w.span + w.grain) / 1000) + 60000)
  end
end
