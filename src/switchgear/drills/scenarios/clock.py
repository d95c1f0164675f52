"""The machine's wall clock jumps: windows, recovery times and budgets do not follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.clients.governor import Governor
from switchgear.config import load
from switchgear.drills.asking import chat
from switchgear.drills.verdict import Check
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from switchgear.drills.ground import Ground

__all__ = ["run"]

_LIMIT: Final = 10
_THRESHOLD: Final = 3
_ASKED: Final = 40
"""Calls that cost more together than the budget has."""

_HOUR: Final = 3600
_STEPS: Final = (_HOUR, -2 * _HOUR, 36 * _HOUR, -_HOUR)
"""Seconds by which the wall clock jumps, one after the other."""

_OK: Final = 200
_FAILED: Final = 500


def run(ground: Ground) -> Iterator[Check]:
    """Use up a limit and a budget and open a breaker, then let the wall clock jump to and fro.

    The time is the drill's: it stands still but for what is done to it here.
    """
    clock = ManualClock(ground.clock.now())
    sandbox = ground.sandbox()
    config = ground.write(f"""
[services.limited]
base_url = "{sandbox.url}"
max_wait = "0s"
limits = {{ requests_per_minute = {_LIMIT} }}

[services.broken]
base_url = "{sandbox.url}"
limits = {{ requests_per_minute = 100000 }}
breaker = {{ failure_threshold = {_THRESHOLD}, recovery_timeout = "1m" }}

[services.llm]
kind = "openai"
base_url = "{sandbox.url}"
limits = {{ requests_per_minute = 100000 }}
prices = {{ "drill" = {{ input = "1", output = "2" }} }}

[[budgets]]
name = "rolling"
match = {{ service = "llm" }}
limit_usd = "0.0005"
period = "1m"
""")
    with Governor(load(config, environ={}), clock=clock) as governor:
        clients = {name: governor.http_client(name) for name in ("limited", "broken", "llm")}
        yield from _used_up(clients)
        reached = sandbox.stats().received
        for step in _STEPS:
            ground.say(f"the clock jumps by {step / _HOUR:+g} h")
            clock.set_wall(clock.now() + step)
            for client in clients.values():
                _ask(client)
        yield Check(
            what=f"calls that {len(_STEPS)} jumps of up to 36 h let through",
            measured=sandbox.stats().received - reached,
            bound="exactly",
            wanted=0,
            unit="calls",
        )
        ground.say("a minute passes")
        clock.advance(61)
        for name, client in clients.items():
            yield Check(
                what=f"calls let through by {_WORDS[name]} after a minute",
                measured=int(_ask(client) == _OK),
                bound="exactly",
                wanted=1,
                unit="calls",
            )
    rows = ground.rows()
    yield Check(
        what="calls settled in the ledger, beside those that the provider served",
        measured=sum(row.status in {"ok", "failed"} for row in rows),
        bound="exactly",
        wanted=sandbox.stats().served,
        unit="calls",
    )


_WORDS: Final = {"limited": "the limit", "broken": "the breaker", "llm": "the budget"}


def _used_up(clients: dict[str, httpx2.Client]) -> Iterator[Check]:
    """Ask until the limit, the breaker and the budget all say no."""
    counts = {
        "limited": sum(_ask(clients["limited"]) == _OK for _ in range(3 * _LIMIT)),
        "broken": sum(_ask(clients["broken"], "status=500") == _FAILED for _ in range(3 * _THRESHOLD)),
        "llm": sum(_ask(clients["llm"]) == _OK for _ in range(_ASKED)),
    }
    for name, wanted in (("limited", _LIMIT), ("broken", _THRESHOLD)):
        yield Check(
            what=f"calls let through by {_WORDS[name]} before the jumps",
            measured=counts[name],
            bound="exactly",
            wanted=wanted,
            unit="calls",
        )
    yield Check(
        what=f"calls let through by {_WORDS['llm']} before the jumps, of {_ASKED}",
        measured=counts["llm"],
        bound="at most",
        wanted=_ASKED - 1,
        unit="calls",
    )


def _ask(client: httpx2.Client, fault: str = "") -> int:
    headers = {"x-sandbox-fault": fault} if fault else {}
    status: int = client.post("http://drill/v1/chat/completions", json=chat(), headers=headers).status_code
    return status
