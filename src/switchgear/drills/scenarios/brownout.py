"""A provider answers, but slowly: slow calls open the breaker, and nobody else is slowed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from switchgear.drills.measures import percentile
from switchgear.drills.verdict import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.drills.asking import Answer
    from switchgear.drills.ground import Ground

__all__ = ["run"]

_MINIMUM: Final = 10
_CALLERS: Final = 8
_RECOVERY: Final = 1.0
_FAST_MS: Final = 250.0
_SLACK: Final = 1.0


def run(ground: Ground) -> Iterator[Check]:
    """Let one of two providers answer after 400 ms where 150 ms are slow, and watch both."""
    slow, well = ground.sandbox(), ground.sandbox()
    config = ground.write(f"""
[services.slow]
kind = "openai"
base_url = "{slow.url}"
limits = {{ requests_per_minute = 100000 }}
breaker = {{ slow_call = "150ms", slow_rate = 0.8, minimum_calls = {_MINIMUM}, recovery_timeout = "{_RECOVERY:g}s" }}
prices = {{ "drill" = {{ input = "1", output = "2" }} }}

[services.well]
kind = "openai"
base_url = "{well.url}"
limits = {{ requests_per_minute = 100000 }}
prices = {{ "drill" = {{ input = "1", output = "2" }} }}
""")
    client = ground.client(ground.serve(config).url)
    slow.fault("latency=400ms")
    ground.say("one of two providers becomes slow")
    with ThreadPoolExecutor(2) as pool:
        beside = pool.submit(client.many, 100, lambda _: client.ask("well"), threads=2)
        answers = client.many(5 * _MINIMUM, lambda _: client.ask("slow"), threads=_CALLERS)
    yield Check(
        what=f"slow calls until the breaker opens, with {_CALLERS} callers",
        measured=slow.stats().received,
        bound="at most",
        wanted=_MINIMUM + _CALLERS,
        unit="calls",
    )
    refused = [answer for answer in answers if answer.refused_by == "breaker"]
    yield Check(
        what="calls refused at once instead of kept waiting",
        measured=len(refused),
        bound="at least",
        wanted=5 * _MINIMUM - _MINIMUM - _CALLERS,
        unit="calls",
    )
    yield _pace("time to refuse, p95", refused)
    yield Check(
        what="calls of the other service that were answered, of 100",
        measured=sum(answer.is_ok for answer in beside.result()),
        bound="exactly",
        wanted=100,
        unit="calls",
    )
    yield _pace("time of a call of the other service meanwhile, p95", beside.result())

    ground.say("the provider is fast again")
    slow.clear_faults()
    took = ground.wait_until(lambda: client.ask("slow").is_ok)
    yield Check(
        what="time from fast answers to a closed breaker",
        measured=took,
        bound="at most",
        wanted=_RECOVERY + _SLACK,
        unit="s",
    )


def _pace(what: str, answers: list[Answer]) -> Check:
    p95 = percentile((answer.seconds * 1000 for answer in answers), 0.95)
    return Check(what=what, measured=p95, bound="at most", wanted=_FAST_MS, unit="ms")
