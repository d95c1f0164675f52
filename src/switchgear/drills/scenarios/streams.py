"""Streams that go silent, that are cut, and that end in an error: clients are told, nothing is left open or held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.drills.asking import chat
from switchgear.drills.verdict import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.drills.ground import Ground

__all__ = ["run"]

_PATIENCE: Final = 0.5
_SLACK: Final = 1.5
_EACH: Final = 4
_FAULTS: Final = ("hang", "hang=3", "cut=3", "error_event=3", "reset")
_END: Final = b"[DONE]"


def run(ground: Ground) -> Iterator[Check]:
    """Send streams that break in five ways, with good ones between them."""
    sandbox = ground.sandbox()
    config = ground.write(f"""
[services.llm]
kind = "openai"
base_url = "{sandbox.url}"
limits = {{ requests_per_minute = 100000 }}
first_token_timeout = "{_PATIENCE:g}s"
stall_timeout = "{_PATIENCE:g}s"
breaker = {{ failure_threshold = 1000, minimum_calls = 1000 }}
prices = {{ "drill" = {{ input = "1", output = "2" }} }}

[[budgets]]
name = "all"
limit_usd = "1"
""")
    client = ground.client(ground.serve(config).url)
    faults = [fault for _ in range(_EACH) for fault in (*_FAULTS, "")]
    ground.say(f"{len(faults)} streams, five ways to break")
    body = chat(stream=True)
    answers = client.many(len(faults), lambda number: client.ask(body=body, fault=faults[number]), threads=12)
    broken = [answer for answer, fault in zip(answers, faults, strict=True) if fault]
    good = [answer for answer, fault in zip(answers, faults, strict=True) if not fault]
    yield Check(
        what=f"broken streams that looked whole to their client, of {len(broken)}",
        measured=sum(answer.is_ok and _END in answer.body for answer in broken),
        bound="exactly",
        wanted=0,
        unit="streams",
    )
    yield Check(
        what=f"good streams between them that came whole, of {len(good)}",
        measured=sum(answer.is_ok and _END in answer.body for answer in good),
        bound="exactly",
        wanted=len(good),
        unit="streams",
    )
    yield Check(
        what=f"longest time until a client knew, with a patience of {_PATIENCE:g} s",
        measured=max(answer.seconds for answer in broken),
        bound="at most",
        wanted=_PATIENCE + _SLACK,
        unit="s",
    )
    yield Check(
        what="time until no stream is open at the provider",
        measured=ground.wait_until(lambda: sandbox.stats().under_way == 0),
        bound="at most",
        wanted=_SLACK,
        unit="s",
    )
    [budget] = client.get("/api/budgets")["items"]
    yield Check(
        what="still held in the budget", measured=float(budget["reserved_usd"]), bound="exactly", wanted=0, unit="USD"
    )
    rows = ground.rows()
    yield Check(
        what="rows of broken streams that say so",
        measured=sum(row.status == "failed" and row.error is not None for row in rows),
        bound="exactly",
        wanted=len(broken),
        unit="rows",
    )
    yield Check(
        what="output tokens in the ledger, beside those that the provider really sent",
        measured=sum(row.output_tokens for row in rows),
        bound="at least",
        wanted=sandbox.stats().output_tokens,
        unit="tokens",
    )
