-- The last so many calls of a service, one byte each: 1 for a failure, 2 for a slow one, 3 for both.
-- One string: a head of 4 doubles (the place of the oldest; calls, failures, slow calls), then the marks.
local last_calls = {}
local HEAD = 32

function last_calls.open(key, size)
  local w = { key = key, size = size, next = 0, total = { 0, 0, 0 } }
  local raw = redis.call('GETRANGE', key, 0, HEAD - 1)
  if #raw == HEAD then w.next, w.total[1], w.total[2], w.total[3] = struct.unpack('>dddd', raw) end
  -- Another size than the one it was counted with: begin anew.
  if w.total[1] > size or w.next >= size then w.next, w.total = 0, { 0, 0, 0 } end
  return w
end

function last_calls.add(w, failed, slow)
  local total = w.total
  w.mark = failed + 2 * slow
  if total[1] < w.size then
    w.place = total[1]
    total[1] = total[1] + 1
  else
    w.place = w.next
    local old = string.byte(redis.call('GETRANGE', w.key, HEAD + w.place, HEAD + w.place))
    total[2] = total[2] - old % 2
    total[3] = total[3] - math.floor(old / 2)
    w.next = (w.next + 1) % w.size
  end
  total[2] = total[2] + failed
  total[3] = total[3] + slow
end

function last_calls.save(w)
  if not w.place then return end
  redis.call('SETRANGE', w.key, 0, struct.pack('>dddd', w.next, w.total[1], w.total[2], w.total[3]))
  redis.call('SETRANGE', w.key, HEAD + w.place, string.char(w.mark))
end
