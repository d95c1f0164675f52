-- withdraw: give a place in the queue back; those behind move up. Microseconds.
local service = store.service(q.service)
local t = stand.take(q.owner, q.number, function() return service end)
if t then stand.give_back(t) end
if limiter.withdraw(service.limiter, q.owner .. ':' .. q.number, now) or t then store.save(service) end
stand.save()
return store.reply({ kind = 'done', woken = stand.woken(service.limiter.woken) })
