"""What *explain* says of a call under a scope is what *admit* answers next, on every state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from switchgear.calls import Refusal
from switchgear.clock import MICROS
from switchgear.policies.limiter import LimitRule
from switchgear.state.base import Waiting

Make = Callable[..., Any]

CI = ("key:ci",)
TEAM = "team:a"


def rpm(limit: int) -> LimitRule:
    """So many requests a minute."""
    return LimitRule(name="requests_per_minute", unit="requests", limit=limit, window_us=60 * MICROS)


def tpm(limit: int) -> LimitRule:
    """So many tokens a minute."""
    return LimitRule(name="tokens_per_minute", unit="tokens", limit=limit, window_us=60 * MICROS)


def in_flight(limit: int) -> LimitRule:
    """So many calls at a time."""
    return LimitRule(name="concurrent", unit="calls", limit=limit, window_us=0)


def foretold(it: Any, **what: Any) -> str:  # noqa: ANN401 - the bench, and what its admit takes
    """Ask first, then go: check that the answer is what was said, and return the verdict."""
    before = [view.used for view in it.state.scopes(it.now)]
    told = it.explain(**what)
    assert [view.used for view in it.state.scopes(it.now)] == before  # asking takes nothing
    answer = it.admit(**what)
    if isinstance(answer, Refusal):
        assert (told.verdict, told.refusal, told.rule) == ("refuse", answer, answer.rule)
    elif isinstance(answer, Waiting):
        foreseen = None if answer.rule.endswith("concurrent") else answer.go_at - it.now.mono + it.now.wall
        assert (told.verdict, told.rule, told.go_at) == ("wait", answer.rule, foreseen)
    else:
        assert (told.verdict, told.rule, told.go_at) == ("pass", None, it.now.wall)
    verdict: str = told.verdict
    return verdict


def limits_of(told: Any) -> dict[tuple[str, str], tuple[int, int]]:  # noqa: ANN401 - an Explanation
    """Return used and needed of each limit by where it holds and its name."""
    return {(one.view.service, one.view.rule): (one.view.used, one.needed) for one in told.limits}


def test_the_limits_of_a_scope_are_among_the_numbers(bench: Make) -> None:
    """Each with what is used of it, what the call needs and when it has room."""
    it = bench(limits=(rpm(100),))
    it.scope("key:ci", rpm(2), tpm(50))
    for _ in range(2):
        it.admitted(scopes=CI, tokens=20)
    told = it.explain(scopes=CI, tokens=20)
    assert limits_of(told) == {
        ("openai", "requests_per_minute"): (2, 1),
        ("key:ci", "requests_per_minute"): (2, 1),
        ("key:ci", "tokens_per_minute"): (40, 20),
    }
    ready = {(one.view.service, one.view.rule): one.ready_at for one in told.limits}
    assert ready["openai", "requests_per_minute"] is None
    assert ready["key:ci", "requests_per_minute"] == pytest.approx(it.now.wall + 60 * MICROS, abs=0.05 * MICROS)
    assert ready["key:ci", "tokens_per_minute"] == pytest.approx(it.now.wall + 60 * MICROS, abs=0.05 * MICROS)


def test_a_free_scope_lets_pass(bench: Make) -> None:
    """As does one that has no rules, or that nobody knows."""
    it = bench(limits=(rpm(100),))
    it.scope("key:ci", rpm(2), tpm(50), in_flight(3))
    it.scope(TEAM)
    assert foretold(it, scopes=(*CI, TEAM, "key:unknown"), tokens=10) == "pass"


@pytest.mark.parametrize("rule", [rpm(1), tpm(10), in_flight(1)], ids=["requests", "tokens", "in flight"])
def test_a_full_scope_refuses_who_does_not_wait_and_lets_others_stand_in_line(bench: Make, rule: LimitRule) -> None:
    """Then those in line count: the next one goes after them."""
    it = bench(limits=(rpm(100),))
    it.scope("key:ci", rule)
    assert foretold(it, scopes=CI, tokens=10) == "pass"
    assert foretold(it, scopes=CI, tokens=10) == "refuse"
    assert foretold(it, scopes=CI, tokens=10, max_wait=300) == "wait"
    assert foretold(it, scopes=CI, tokens=10, max_wait=300) == "wait"
    assert foretold(it, scopes=CI, tokens=10) == "refuse"
    assert foretold(it, tokens=10) == "pass"


def test_who_waits_for_the_service_is_told_so(bench: Make) -> None:
    """A scope with room does not help where the service has none; of two that are full one decides, the same one."""
    it = bench(limits=(rpm(1),))
    it.scope("key:ci", rpm(2))
    it.scope(TEAM, rpm(1))
    assert foretold(it, scopes=(*CI, TEAM)) == "pass"
    assert foretold(it, scopes=CI) == "refuse"
    assert foretold(it, scopes=CI, max_wait=90) == "wait"
    assert foretold(it, scopes=(*CI, TEAM)) == "refuse"
    assert foretold(it, scopes=(TEAM, *CI), max_wait=300) == "wait"


def test_what_never_fits_a_scope_is_refused_for_good(bench: Make) -> None:
    """However long the caller would wait."""
    it = bench(limits=(rpm(100),))
    it.scope("key:ci", tpm(10))
    assert foretold(it, scopes=CI, tokens=11, max_wait=1000) == "refuse"
    assert it.explain(scopes=CI, tokens=11, max_wait=1000).go_at is None


def test_the_word_holds_over_a_busy_hour(bench: Make) -> None:
    """Whatever time passes and calls come and go: what is said is what happens."""
    it = bench(limits=(rpm(5), in_flight(4)))
    it.scope("key:ci", rpm(3), tpm(100))
    it.scope(TEAM, in_flight(2))
    asked: list[tuple[str, ...]] = [CI, (), (TEAM,), (*CI, TEAM)]
    seen = {
        foretold(it, scopes=asked[step % 4], tokens=step * 7 % 60, max_wait=(0, 20, 90)[step % 3])
        for step in range(48)
        if it.clock.advance(step * 5 % 13) is None
    }
    assert seen == {"pass", "wait", "refuse"}
