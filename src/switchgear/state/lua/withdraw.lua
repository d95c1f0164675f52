-- withdraw: give a place in the queue back; those behind move up. Microseconds.
local service = store.service(q.service)
if limiter.withdraw(service.limiter, q.owner .. ':' .. q.number, now) then store.save(service) end
return store.reply({ kind = 'done', woken = service.limiter.woken })
