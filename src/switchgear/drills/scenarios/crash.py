"""The gateway is killed with SIGKILL in the middle of its work: nothing that was spent is forgotten."""

from __future__ import annotations

import re
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

from switchgear.drills.asking import Answer, chat
from switchgear.drills.pressing import Pressure
from switchgear.drills.verdict import Check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from switchgear.drills.ground import Ground
    from switchgear.drills.sandbox import Sandbox

__all__ = ["run"]

_CALLERS: Final = 8
_INPUT: Final = 1000
_OUTPUT: Final = 2000
_MOMENTS: Final = (0.5, 0.15, 0.33, 0.08, 0.71, 0.24, 0.42, 0.05, 0.6, 0.37)
"""Seconds after which the gateway is killed."""


def run(ground: Ground) -> Iterator[Check]:
    """Kill gateways under load, start one more, and compare its ledger with the provider and the clients."""
    sandbox = ground.sandbox()
    config = ground.write(f"""
[services.llm]
kind = "openai"
base_url = "{sandbox.url}"
limits = {{ requests_per_minute = 10000000 }}
breaker = {{ failure_threshold = 1000000, minimum_calls = 1000000 }}
prices = {{ "drill" = {{ input = "{_INPUT // 1000}", output = "{_OUTPUT // 1000}" }} }}

[[budgets]]
name = "all"
limit_usd = "100"
""")
    seen: set[str] = set()
    answered: set[str] = set()
    owed = 0
    moments = _MOMENTS[:3] if ground.quick else _MOMENTS
    for number, moment in enumerate(moments):
        ground.say(f"kill {number + 1} of {len(moments)}")
        answered |= _killed(ground, config, number, moment)
        stats = sandbox.stats()
        owed += stats.input_tokens * _INPUT + stats.output_tokens * _OUTPUT
        seen |= _ids(sandbox)
        sandbox.reset()
    server = ground.serve(config)
    [budget] = ground.client(server.url).get("/api/budgets")["items"]
    rows = ground.rows()
    times = Counter(row.job for row in rows)
    settled = {row.job for row in rows if row.status == "ok"}
    yield _none(f"calls that the provider saw and the ledger lacks, of {len(seen)}", len(seen - times.keys()))
    yield _none("calls that the ledger has twice", sum(count > 1 for count in times.values()))
    yield _none(f"answers that clients got and that are not settled, of {len(answered)}", len(answered - settled))
    yield _none("calls still open after the restart", sum(row.status == "reserved" for row in rows))
    yield Check(
        what="calls that were under way when the gateway was killed, and settled at their worst case",
        measured=sum(row.status == "orphaned" for row in rows),
        bound="at least",
        wanted=1,
        unit="calls",
    )
    spent = sum(row.cost or 0 for row in rows)
    yield Check(
        what="spent by the ledger, beside what the provider served",
        measured=spent / 1e9,
        bound="at least",
        wanted=owed / 1e9,
        unit="USD",
    )
    yield Check(
        what="spent by the budget after the restart, beside the ledger",
        measured=float(budget["spent_usd"]),
        bound="exactly",
        wanted=spent / 1e9,
        unit="USD",
    )


def _killed(ground: Ground, config: Path, number: int, moment: float) -> set[str]:
    """Kill a gateway *moment* seconds after its first call; return the ids of calls that were answered."""
    server = ground.serve(config)
    client = ground.client(server.url)

    def ask(call: int) -> Answer:
        if is_killed.is_set():
            return Answer(status=0, began=0, ended=0)
        name = f"id-{number}-{call}"
        fault = "latency=30ms" if call % 2 else ""
        return client.ask(body=chat(name, stream=call % 3 == 0), fault=fault, job=name)

    is_killed = threading.Event()
    with Pressure(ask, callers=_CALLERS) as pressure:
        ground.clock.sleep(moment)
        server.kill()
        is_killed.set()
    return {f"id-{number}-{call}" for call, answer in pressure.answers if answer.is_ok}


def _ids(sandbox: Sandbox) -> set[str]:
    found = (re.search(r"id-\d+-\d+", one.body.decode()) for one in sandbox.requests)
    return {one[0] for one in found if one is not None}


def _none(what: str, measured: int) -> Check:
    return Check(what=what, measured=measured, bound="exactly", wanted=0, unit="calls")
