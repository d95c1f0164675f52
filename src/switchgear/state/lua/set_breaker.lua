-- set_breaker: what an operator says about one circuit. Microseconds.
local obstacle = store.obstacle()
if obstacle then return store.reply({ kind = obstacle }) end
local service = store.service(q.service)
local k = service.breaker
breaker.poll(k, now)
local state = k.b.state
breaker.obey(k, q.order, q.new, q.reason, now)
store.save(service)
return store.reply({ kind = 'done', state = state, events = k.events })
