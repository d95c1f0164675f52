from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.calls import Usage
from switchgear.policies.expected import ENOUGH, MANY, ROUTES, Expectations

ROUTE = ("llm", "m", "/v1/chat/completions")
BOUND = Usage(input_tokens=500, output_tokens=10_000)


def _after(shares: list[float], bound: Usage = BOUND) -> int | None:
    known = Expectations()
    for share in shares:
        known.learn(ROUTE, bound, Usage(output_tokens=round(bound.output_tokens * share)))
    found = known.bound(ROUTE, bound)
    assert found is None or found.input_tokens == bound.input_tokens
    return None if found is None else found.output_tokens


def test_nothing_is_expected_until_enough_is_known() -> None:
    """With fewer samples than mean something the worst case stands."""
    assert _after([0.1] * (ENOUGH - 1)) is None
    assert _after([0.1] * ENOUGH) is not None
    assert Expectations().bound(ROUTE, BOUND) is None


@settings(max_examples=25)
@given(st.lists(st.floats(0.0003, 1.0), min_size=ENOUGH, max_size=3 * ENOUGH))
def test_the_estimate_is_the_99th_percentile_or_up_to_a_tenth_more(shares: list[float]) -> None:
    """It is never below what 99 of 100 stay within, and above it by less than 9.1 % and a token."""
    exact = sorted(round(10_000 * share) for share in shares)[-1 - len(shares) // 100]
    found = _after(shares)
    assert found is not None
    assert exact <= found <= max(exact * 1.0906, 10_000 / 4096) + 1


def test_one_in_a_hundred_may_be_larger() -> None:
    """A single outlier in a hundred does not set the estimate, two do."""
    assert (_after([0.1] * 99 + [1.0]) or 0) < 1100
    assert _after([0.1] * 98 + [1.0] * 2) == 10_000


def test_more_than_the_worst_case_is_the_worst_case() -> None:
    """A provider that passes its own maximum makes nothing larger than the bound."""
    assert _after([2.5] * ENOUGH) == 10_000


def test_the_past_fades() -> None:
    """When answers have become short for good, the estimate follows."""
    draw = random.Random(1)
    shares = [draw.uniform(0.5, 0.9) for _ in range(MANY)] + [draw.uniform(0.05, 0.1) for _ in range(6 * MANY)]
    assert (_after(shares) or 0) < 1100


def test_calls_without_a_bound_teach_nothing() -> None:
    """Without a worst case there is no share of it."""
    known = Expectations()
    for _ in range(ENOUGH):
        known.learn(ROUTE, Usage(input_tokens=5), Usage(output_tokens=3))
    assert len(known) == 0


@pytest.mark.parametrize("output", [1, 7, 100])
def test_what_is_expected_is_rounded_up(output: int) -> None:
    """A call that may put out something is expected to put out at least one token."""
    assert (_after([0.0] * ENOUGH, Usage(output_tokens=output)) or 0) >= 1


def test_routes_are_bounded() -> None:
    """Whoever invents models or paths does not fill the memory."""
    known = Expectations()
    for number in range(2 * ROUTES):
        known.learn(("llm", f"m{number}", "/"), BOUND, Usage(output_tokens=1))
    assert len(known) == ROUTES
