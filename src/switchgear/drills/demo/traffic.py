"""The acts of the demo: what is sent, in which order, and why."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.drills.demo.clients import Way
from switchgear.drills.demo.settings import RECOVERY_SECONDS, THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.clock import Clock
    from switchgear.drills.demo.clients import Clients, Sent
    from switchgear.drills.sandbox import Sandbox

__all__ = ["ACTS", "Act", "play"]

_JOBS: Final = ("acme-42", "globex-7", "initech-3")


class _Step(msgspec.Struct, frozen=True):
    way: Way
    service: str
    layer: str
    prompt: str


_PIPELINE: Final = (
    _Step("http", "scraper", "research", "{job}"),
    _Step("chat", "local", "analysis", "What does a company named {job} probably do? Answer in one sentence."),
    _Step("responses", "local", "fit", "Name three skills of a good engineer."),
    _Step("chat stream", "local", "draft", "Write the first sentence of a letter to {job}."),
    _Step("messages", "local_messages", "review", "What makes a letter polite? Answer in one sentence."),
    _Step("responses stream", "local", "summary", "Say in one sentence why budgets matter."),
    _Step("messages stream", "local_messages", "letter", "Write a friendly closing line to {job}."),
)


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the demo: what it shows, and how many calls it makes."""

    title: str
    calls: int


ACTS: Final = (
    Act(title="three jobs at once, seven layers each, two protocols", calls=len(_JOBS) * len(_PIPELINE)),
    Act(title="a job with a small budget asks six times", calls=6),
    Act(title="an optional layer with a token budget is skipped beyond it", calls=4),
    Act(title="a service fails: its breaker opens, is probed, and closes", calls=2 + THRESHOLD + 3 + 3),
)


def play(clients: Clients, sandbox: Sandbox, clock: Clock) -> Iterator[tuple[Act, Sent]]:
    """Send it all, and yield what became of each call.

    Args:
        clients: what to send with.
        sandbox: the upstream of the service that is to fail.
        clock: time, to wait for the breaker.
    """
    plays = (_jobs(clients), _small_budget(clients), _optional_layer(clients), _failing(clients, sandbox, clock))
    for act, sendings in zip(ACTS, plays, strict=True):
        for sent in sendings:
            yield act, sent


def _jobs(clients: Clients) -> Iterator[Sent]:
    pool = ThreadPoolExecutor(max_workers=len(_JOBS))
    try:
        # Layer by layer: those of one layer go out together, as jobs of a pipeline do.
        for step in _PIPELINE:
            sendings = [
                pool.submit(
                    clients.send, step.way, step.prompt.format(job=job), service=step.service, job=job, layer=step.layer
                )
                for job in _JOBS
            ]
            for sending in as_completed(sendings):
                yield sending.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _small_budget(clients: Clients) -> Iterator[Sent]:
    for number in range(ACTS[1].calls):
        prompt = f"Tell me fact number {number + 1} about electricity, in one sentence."
        yield clients.send("chat", prompt, service="local", job="small-job", layer="analysis")


def _optional_layer(clients: Clients) -> Iterator[Sent]:
    for number in range(ACTS[2].calls):
        prompt = f"Polish sentence {number + 1}: the letter it is good and short."
        yield clients.send("messages", prompt, service="local_messages", job=_JOBS[0], layer="polish")


def _failing(clients: Clients, sandbox: Sandbox, clock: Clock) -> Iterator[Sent]:
    def ask(count: int) -> Iterator[Sent]:
        for _ in range(count):
            yield clients.send("chat", "Are you there?", service="flaky", job=_JOBS[1], layer="lookup")

    yield from ask(2)
    sandbox.fault("status=503", times=THRESHOLD)
    yield from ask(THRESHOLD + 3)
    clock.sleep(RECOVERY_SECONDS + 0.1)
    yield from ask(3)
