"""1,000 calls at once from four processes, each with a governor and a ledger of its own, on one shared state."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Final

from switchgear.drills.governed_load import start_governed_load
from switchgear.drills.ground import free_port
from switchgear.drills.valkey import valkey
from switchgear.drills.verdict import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.drills.ground import Ground

__all__ = ["run"]

_CALLS: Final = 1000
_PROCESSES: Final = 4
_INPUT: Final = 1000
_OUTPUT: Final = 2000
_LIMIT: Final = 10_000_000
_REQUESTS: Final = 300
_OK: Final = 200
_REFUSED: Final = frozenset({402, 429})


def run(ground: Ground) -> Iterator[Check]:
    """Let four processes race for one budget and then, unless it is to be quick, for one limit."""
    races = (("budget", _LIMIT, 10_000_000), ("limit", 1000 * _LIMIT, _REQUESTS))
    for name, limit, requests in races[:1] if ground.quick else races:
        ground.say(f"{_CALLS} calls from {_PROCESSES} processes race for a {name}")
        port, sandbox = free_port(), ground.sandbox()
        sandbox.fault("latency=100ms")
        with valkey(port):
            statuses = _race(ground, _settings(sandbox.url, port, limit=limit, requests=requests))
        stats = sandbox.stats()
        spent = stats.input_tokens * _INPUT + stats.output_tokens * _OUTPUT
        yield Check(
            what=f"{name}: calls answered or refused, of {_CALLS}",
            measured=sum(count for status, count in statuses.items() if status == _OK or status in _REFUSED),
            bound="exactly",
            wanted=_CALLS,
            unit="calls",
        )
        yield Check(
            what=f"{name}: calls answered, beside those that reached the provider",
            measured=statuses[_OK],
            bound="exactly",
            wanted=stats.received,
            unit="calls",
        )
        if name == "budget":
            yield Check(
                what="budget: spent by all of them, by the provider's own count",
                measured=spent / 1e9,
                bound="at most",
                wanted=limit / 1e9,
                unit="USD",
            )
            yield Check(what="budget: calls answered", measured=statuses[_OK], bound="at least", wanted=1, unit="calls")
        else:
            yield Check(
                what="limit: calls in a minute by all of them",
                measured=stats.received,
                bound="exactly",
                wanted=_REQUESTS,
                unit="calls",
            )


def _race(ground: Ground, settings: str) -> Counter[int]:
    """Start the processes, let them go at once, and return what became of their calls."""
    started = []
    for number in range(_PROCESSES):
        folder = ground.folder / f"{len(list(ground.folder.iterdir()))}-{number}"
        folder.mkdir()
        config = folder / "switchgear.toml"
        config.write_text(f'[ledger]\nurl = "sqlite:///{folder}/ledger.db"\n{settings}', encoding="utf-8")
        started.append(start_governed_load(config, calls=_CALLS // _PROCESSES))
    statuses: Counter[int] = Counter()
    for process in started:
        if process.stdout is not None:
            process.stdout.readline()
    for process in started:
        if process.stdin is not None:
            process.stdin.write("\n")
            process.stdin.flush()
    for process in started:
        said, _ = process.communicate()
        statuses.update({int(status): count for status, count in json.loads(said).items()})
    return statuses


def _settings(url: str, port: int, *, limit: int, requests: int) -> str:
    return f"""
[state]
url = "redis://127.0.0.1:{port}/0"
timeout = "5s"

[services.llm]
kind = "openai"
base_url = "{url}"
max_wait = "0s"
limits = {{ requests_per_minute = {requests} }}
prices = {{ "drill" = {{ input = "{_INPUT // 1000}", output = "{_OUTPUT // 1000}" }} }}

[[budgets]]
name = "all"
limit_usd = "{limit / 1e9:.9f}"
"""
