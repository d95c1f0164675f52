"""A provider is down: the breaker opens, refuses fast, probes, and recovers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from switchgear.drills.measures import percentile
from switchgear.drills.verdict import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from switchgear.drills.asking import Client
    from switchgear.drills.ground import Ground

__all__ = ["run"]

_THRESHOLD: Final = 5
_RECOVERY: Final = 1.0
_REFUSALS: Final = 200
_CROWD: Final = 20
_FAST_MS: Final = 250.0
_SLACK: Final = 1.0
"""Seconds that the machine may be late."""


def run(ground: Ground) -> Iterator[Check]:
    """Let the provider fail, count what still reaches it, and let it come back."""
    sandbox = ground.sandbox()
    config = ground.write(f"""
[services.llm]
kind = "openai"
base_url = "{sandbox.url}"
limits = {{ requests_per_minute = 100000 }}
breaker = {{ failure_threshold = {_THRESHOLD}, recovery_timeout = "{_RECOVERY:g}s", probes = 1 }}
prices = {{ "drill" = {{ input = "1", output = "2" }} }}
""")
    client = ground.client(ground.serve(config).url)
    ground.say("the provider fails")
    for _ in range(10):
        client.ask()
    sandbox.reset()
    sandbox.fault("status=503")
    failed = 0
    while failed < 4 * _THRESHOLD and client.ask().refused_by is None:
        failed += 1
    yield Check(
        what="failures until the breaker opens", measured=failed, bound="at most", wanted=_THRESHOLD, unit="calls"
    )
    reached = sandbox.stats().received
    refused = client.many(_REFUSALS, lambda _: client.ask(), threads=4)
    early = [answer for answer in refused if answer.ended - refused[0].began < _RECOVERY / 2]
    yield Check(
        what="calls refused by the breaker, of those while it is open",
        measured=sum(answer.refused_by == "breaker" for answer in early),
        bound="exactly",
        wanted=len(early),
        unit="calls",
    )
    yield Check(
        what="refusals that name when to try again",
        measured=sum(answer.retry_after is not None for answer in early),
        bound="exactly",
        wanted=len(early),
        unit="calls",
    )
    p95 = percentile((answer.seconds * 1000 for answer in early), 0.95)
    yield Check(what="time to refuse, p95", measured=p95, bound="at most", wanted=_FAST_MS, unit="ms")
    yield from _probing(ground, reached, lambda: sandbox.stats().received, client)

    ground.say("the provider is back")
    sandbox.clear_faults()
    took = ground.wait_until(lambda: client.ask().is_ok)
    yield Check(
        what="time from the provider's return to the first answer",
        measured=took,
        bound="at most",
        wanted=_RECOVERY + _SLACK,
        unit="s",
    )
    after = client.many(50, lambda _: client.ask(), threads=4)
    yield Check(
        what="calls answered after that, of 50",
        measured=sum(answer.is_ok for answer in after),
        bound="exactly",
        wanted=50,
        unit="calls",
    )


def _probing(ground: Ground, reached: int, received: Callable[[], int], client: Client) -> Iterator[Check]:
    """Let a crowd call over three recovery times while the provider is still down."""
    ground.say("a crowd calls while it is down")
    began = ground.clock.monotonic()
    span = (2 if ground.quick else 5) * _RECOVERY

    def press(_: int) -> int:
        asked = 0
        while ground.clock.monotonic() - began < span:
            client.ask()
            ground.clock.sleep(0.05)
            asked += 1
        return asked

    with ThreadPoolExecutor(_CROWD) as pool:
        asked = sum(pool.map(press, range(_CROWD)))
    probes = received() - reached
    ground.say(f"{asked} calls, {probes} probes")
    yield Check(
        what=f"probes that reach the provider in {span:g} s, of {asked} calls",
        measured=probes,
        bound="at most",
        wanted=span // _RECOVERY + 1,
        unit="calls",
    )
    yield Check(what="probes", measured=probes, bound="at least", wanted=1, unit="calls")
