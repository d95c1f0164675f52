"""More callers than the limits let through: no window holds too much, everybody has a share, nothing is wasted."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from switchgear.clients.governor import Governor
from switchgear.clock import MICROS
from switchgear.config import load
from switchgear.drills.asking import chat
from switchgear.drills.hurry import HurriedClock
from switchgear.drills.measures import most_at_once, most_within
from switchgear.drills.verdict import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from switchgear.clock import Clock
    from switchgear.drills.ground import Ground
    from switchgear.ledger.views import CallRow

__all__ = ["run"]

_REQUESTS: Final = 90
_TOKENS: Final = 600
_CONCURRENT: Final = 4
_CALLERS: Final = 8
_TOKEN_CALLERS: Final = 2
_MINUTES: Final = 3
_MINUTE_US: Final = 60 * MICROS
_STAMP_US: Final = MICROS
"""A row's instant is taken after the gate's decision; so much later it may be, in the drill's time."""


def run(ground: Ground) -> Iterator[Check]:
    """Let callers of two services ask without a pause for three minutes; quick: minutes of two seconds."""
    pace = 30 if ground.quick else 2
    clock = HurriedClock(ground.clock, pace)
    sandbox = ground.sandbox()
    config = ground.write(f"""
[services.requests]
kind = "openai"
base_url = "{sandbox.url}"
max_wait = "10m"
timeout = "1h"
limits = {{ requests_per_minute = {_REQUESTS}, concurrent = {_CONCURRENT} }}
prices = {{ "drill" = {{ input = "1", output = "2" }} }}

[services.tokens]
kind = "openai"
base_url = "{sandbox.url}"
max_wait = "10m"
timeout = "1h"
limits = {{ tokens_per_minute = {_TOKENS} }}
prices = {{ "drill" = {{ input = "1", output = "2" }} }}
""")
    with Governor(load(config, environ={}), clock=clock) as governor:
        ground.say(f"{_CALLERS} and {_TOKEN_CALLERS} callers for {_MINUTES} minutes of {60 / pace:g} s")
        clients = [governor.http_client("requests")] * _CALLERS + [governor.http_client("tokens")] * _TOKEN_CALLERS
        counts = _press(clients, clock)[:_CALLERS]
    rows = [row for row in ground.rows() if row.status == "ok"]
    by_requests = [row for row in rows if row.service == "requests"]
    starts = [row.started_at for row in by_requests]
    yield from _windows(by_requests, [row for row in rows if row.service == "tokens"])
    begin = min(starts)
    used = sum(at < begin + _MINUTES * _MINUTE_US for at in starts)
    yield Check(
        what=f"share of the limit on requests that was used in {_MINUTES} minutes",
        measured=100 * used / (_MINUTES * _REQUESTS),
        bound="at least",
        wanted=97,
        unit="%",
    )
    yield Check(
        what="calls of the caller with the fewest, as a share of the one with the most",
        measured=100 * min(counts) / max(counts),
        bound="at least",
        wanted=80,
        unit="%",
    )
    yield Check(
        what="calls that arrived at the provider, beside those in the ledger",
        measured=sandbox.stats().received,
        bound="exactly",
        wanted=len(rows),
        unit="calls",
    )


def _windows(by_requests: list[CallRow], by_tokens: list[CallRow]) -> Iterator[Check]:
    window = _MINUTE_US - _STAMP_US
    yield Check(
        what="most requests in any minute",
        measured=most_within(window, [row.started_at for row in by_requests]),
        bound="at most",
        wanted=_REQUESTS,
        unit="calls",
    )
    yield Check(
        what="most tokens in any minute",
        measured=most_within(
            window, [row.started_at for row in by_tokens], (row.input_tokens + row.output_tokens for row in by_tokens)
        ),
        bound="at most",
        wanted=_TOKENS,
        unit="tokens",
    )
    yield Check(
        what="most calls at once",
        measured=most_at_once([(row.started_at, row.started_at + (row.duration_us or 0)) for row in by_requests]),
        bound="at most",
        wanted=_CONCURRENT,
        unit="calls",
    )


def _press(clients: list[httpx2.Client], clock: Clock) -> list[int]:
    """Ask on each of *clients* until the minutes are over, and return how many answers each of them had."""
    end = clock.monotonic() + _MINUTES * 60
    counts = [0] * len(clients)
    ready = threading.Barrier(len(clients))

    def ask(caller: int) -> None:
        ready.wait()
        while clock.monotonic() < end:
            if clients[caller].post("http://drill/v1/chat/completions", json=chat()).is_success:
                counts[caller] += 1

    threads = [threading.Thread(target=ask, args=(caller,)) for caller in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts
