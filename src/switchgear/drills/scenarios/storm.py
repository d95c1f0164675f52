"""A provider turns calls away with 429 and ``Retry-After``: it is left alone, and then nobody rushes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.clock import MICROS
from switchgear.drills.measures import most_within
from switchgear.drills.sandbox.quota import Quota
from switchgear.drills.verdict import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.drills.ground import Ground

__all__ = ["run"]

_QUOTA: Final = 15
"""What the provider lets through in any second."""

_PER_MINUTE: Final = 600
"""What the service is configured with: 10 a second once it is paced, below the provider's own limit."""

_CALLERS: Final = 60
_IN_FLIGHT_US: Final = 300_000
"""How long calls that were under way at the first 429 may still arrive."""


def run(ground: Ground) -> Iterator[Check]:
    """Send 60 calls at once, more than the provider takes, with its breaker out of the way."""
    quota = Quota(_QUOTA)
    sandbox = ground.sandbox(quota=quota)
    config = ground.write(f"""
[services.llm]
kind = "openai"
base_url = "{sandbox.url}"
max_wait = "60s"
limits = {{ requests_per_minute = {_PER_MINUTE} }}
breaker = {{ failure_threshold = 1000, minimum_calls = 1000 }}
retry = {{ attempts = 4, backoff = "100ms" }}
prices = {{ "drill" = {{ input = "1", output = "2" }} }}
""")
    client = ground.client(ground.serve(config).url)
    calls = _CALLERS if ground.quick else 3 * _CALLERS
    ground.say(f"{_CALLERS} callers, where the provider takes {_QUOTA} calls a second")
    answers = client.many(calls, lambda _: client.ask(), threads=_CALLERS)
    arrivals = sandbox.arrivals
    turned_away = quota.refused
    yield Check(
        what=f"calls turned away with 429, of {len(arrivals)} that arrived",
        measured=len(turned_away),
        bound="at least",
        wanted=1,
        unit="calls",
    )
    if not turned_away:
        return
    first, until = turned_away[0]
    yield Check(
        what="calls that arrive before the provider's time, those under way aside",
        measured=sum(first + _IN_FLIGHT_US < at < until for at in arrivals),
        bound="exactly",
        wanted=0,
        unit="calls",
    )
    after = [at for at in arrivals if at >= until]
    yield Check(
        what="most calls in any second after that time",
        measured=most_within(MICROS, after),
        bound="at most",
        wanted=_QUOTA,
        unit="calls",
    )
    yield Check(
        what="calls turned away after that time",
        measured=sum(at >= until for at, _ in turned_away),
        bound="exactly",
        wanted=0,
        unit="calls",
    )
    yield Check(
        what=f"callers that have their answer in the end, of {calls}",
        measured=sum(answer.is_ok for answer in answers),
        bound="exactly",
        wanted=calls,
        unit="calls",
    )
