"""The shared live numbers are lost and come back: nothing goes meanwhile, and nothing spent is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.drills.ground import free_port
from switchgear.drills.measures import percentile
from switchgear.drills.valkey import valkey
from switchgear.drills.verdict import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.drills.asking import Client
    from switchgear.drills.ground import Ground
    from switchgear.drills.sandbox import Sandbox

__all__ = ["run"]

_CALLS: Final = 20
_FAST_MS: Final = 1000.0
_SLACK: Final = 10.0
_UNAVAILABLE: Final = 503


def run(ground: Ground) -> Iterator[Check]:
    """Kill a Valkey server under a gateway, and start an empty one in its place."""
    port = free_port()
    sandbox = ground.sandbox()
    config = ground.write(f"""
[state]
url = "redis://127.0.0.1:{port}/0"

[services.llm]
kind = "openai"
base_url = "{sandbox.url}"
limits = {{ requests_per_minute = 100000 }}
prices = {{ "drill" = {{ input = "1", output = "2" }} }}

[[budgets]]
name = "all"
limit_usd = "1"
""")
    with valkey(port):
        client = ground.client(ground.serve(config).url)
        client.many(_CALLS, lambda _: client.ask(), threads=2)
        ground.say("the state is gone")
    before = sandbox.stats().received
    refused = client.many(_CALLS, lambda _: client.ask(), threads=2)
    yield Check(
        what="calls refused while it is gone",
        measured=sum(answer.status == _UNAVAILABLE for answer in refused),
        bound="exactly",
        wanted=_CALLS,
        unit="calls",
    )
    yield Check(
        what="calls that reached the provider meanwhile",
        measured=sandbox.stats().received - before,
        bound="exactly",
        wanted=0,
        unit="calls",
    )
    p95 = percentile((answer.seconds * 1000 for answer in refused), 0.95)
    yield Check(what="time to refuse, p95", measured=p95, bound="at most", wanted=_FAST_MS, unit="ms")
    ground.say("an empty one is in its place")
    with valkey(port):
        yield from _recovered(ground, client, sandbox)


def _recovered(ground: Ground, client: Client, sandbox: Sandbox) -> Iterator[Check]:
    took = ground.wait_until(lambda: client.ask().is_ok)
    yield Check(
        what="time from its return to the first answer", measured=took, bound="at most", wanted=_SLACK, unit="s"
    )
    [budget] = client.get("/api/budgets")["items"]
    yield Check(
        what="spent by the budget, beside the ledger",
        measured=float(budget["spent_usd"]),
        bound="exactly",
        wanted=sum(row.cost or 0 for row in ground.rows()) / 1e9,
        unit="USD",
    )
    rows = ground.rows()
    yield Check(
        what="calls settled in the ledger, beside those that the provider served",
        measured=sum(row.status == "ok" for row in rows),
        bound="exactly",
        wanted=sandbox.stats().served,
        unit="calls",
    )
