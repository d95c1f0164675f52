"""The scenarios that need no server of their own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from switchgear.drills.ground import NotRunError
from switchgear.drills.measures import percentile
from switchgear.drills.verdict import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from switchgear.drills.against.live import Live
    from switchgear.drills.verdict import Bound

__all__ = ["LIVE"]

_LONGEST: Final = 30.0
_SLACK: Final = 2.0
_FAST_MS: Final = 250.0
_CALLS: Final = 30
_END: Final = b"[DONE]"


def outage(live: Live) -> Iterator[Check]:
    """Let marked calls fail until the breaker opens, and see it refuse, leave alone, and close."""
    target = live.target
    if target.recovery > _LONGEST:
        msg = f"services.{target.service}.breaker.recovery_timeout is {target.recovery:g} s, above {_LONGEST:g} s"
        raise NotRunError(msg)
    failed = 0
    while failed < 4 * target.threshold and live.ask(fault="status=503").refused_by is None:
        failed += 1
    yield _check("failures until the breaker opens", failed, "at most", target.threshold, "calls")
    reached = live.sandbox.stats().received
    refused = [live.ask() for _ in range(_CALLS)]
    at_once = [answer for answer in refused if answer.began - refused[0].began < target.recovery / 2]
    yield _check(
        "calls refused by the breaker while it is open",
        sum(answer.refused_by == "breaker" for answer in at_once),
        "exactly",
        len(at_once),
        "calls",
    )
    yield _check(
        "calls that reached the provider meanwhile",
        live.sandbox.stats().received - reached if len(at_once) == len(refused) else None,
        "exactly",
        0,
        "calls",
    )
    p95 = percentile((answer.seconds * 1000 for answer in at_once), 0.95)
    yield _check("time to refuse, p95", p95, "at most", _FAST_MS, "ms")
    began = live.clock.monotonic()
    while not live.ask().is_ok:
        live.clock.sleep(0.05)
    took = live.clock.monotonic() - began
    yield _check("time to the first answer", took, "at most", target.recovery + _SLACK, "s")


def streams(live: Live) -> Iterator[Check]:
    """Cut every other marked stream."""
    _close(live)
    answers = [live.ask(fault="cut=3" if number % 3 == 0 else "", stream=True) for number in range(9)]
    cut = answers[::3]
    whole = [answer for number, answer in enumerate(answers) if number % 3]
    yield _check("cut streams that looked whole", sum(_END in one.body and one.is_ok for one in cut), "exactly", 0, "")
    yield _check(
        "other streams that came whole", sum(_END in one.body for one in whole), "exactly", len(whole), "streams"
    )


def accuracy(live: Live) -> Iterator[Check]:
    """Send good calls, and compare the gateway's API with what arrived here."""
    _close(live)
    before, known = live.sandbox.stats(), len(live.rows())
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(live.ask, text=f"number {number}", stream=number % 2 == 0) for number in range(_CALLS)]
        answers = [one.result() for one in asked]
    after, rows = live.sandbox.stats(), live.rows()
    new = rows[: len(rows) - known]
    yield _check("calls answered", sum(answer.is_ok for answer in answers), "exactly", _CALLS, "calls")
    for what, sent in (
        ("input_tokens", after.input_tokens - before.input_tokens),
        ("output_tokens", after.output_tokens - before.output_tokens),
    ):
        words = what.replace("_", " ")
        yield _check(
            f"{words} by the gateway's API, beside the provider's own count",
            sum(row[what] for row in new),
            "exactly",
            sent,
            "tokens",
        )
    yield _check(
        "calls by the gateway's API, beside the provider's own count",
        len(new),
        "exactly",
        after.received - before.received,
        "calls",
    )


def _close(live: Live) -> None:
    """Wait until the breaker lets calls through."""
    while not live.ask().is_ok:
        live.clock.sleep(0.05)


def _check(what: str, measured: float | None, bound: Bound, wanted: float, unit: str) -> Check:
    return Check(what=what, measured=measured, bound=bound, wanted=wanted, unit=unit)


LIVE: Final[dict[str, Callable[[Live], Iterator[Check]]]] = {
    "outage": outage,
    "streams": streams,
    "accuracy": accuracy,
}
"""Each scenario that a running gateway can be drilled with, by its name in the catalogue."""
