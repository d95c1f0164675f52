-- poll: let time take its effect on open circuits. Microseconds.
local events = {}
for _, rules in pairs(q.services) do
  local service = store.service(rules)
  breaker.poll(service.breaker, now)
  if #service.breaker.events > 0 then
    store.append(events, service.breaker.events)
    store.save(service)
  end
end
return store.reply({ kind = 'done', events = events })
