from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.config.model import BudgetConfig, ServiceConfig
from switchgear.insight.live import breaker_metrics, budget_metrics, limit_metrics

if TYPE_CHECKING:
    from tests.insight.conftest import Make

NANO = 1_000_000_000


@pytest.mark.parametrize(
    ("spent", "state"),
    [
        (0, "ok"),
        (749, "ok"),
        (750, "warning"),
        (899, "warning"),
        (900, "critical"),
        (999, "critical"),
        (1000, "exceeded"),
        (25_000, "exceeded"),
    ],
)
def test_budget_states_change_exactly_at_their_thresholds(make: type[Make], spent: int, state: str) -> None:
    """75 % is a warning, 90 % critical, and from 100 % on the budget is exceeded."""
    (metrics,) = budget_metrics([make.budget(spent, 1000)], ())

    assert metrics.state == state


@given(spent=st.integers(0, 10**15), limit=st.integers(1, 10**12))
def test_a_percentage_never_flatters(make: type[Make], spent: int, limit: int) -> None:
    """100 % is shown when, and only when, the whole limit is spent."""
    (metrics,) = budget_metrics([make.budget(spent, limit)], ())

    assert (metrics.used_percent >= 100) == (spent >= limit)


def test_a_budget_of_nothing_is_exceeded_by_the_first_cost(make: type[Make]) -> None:
    """A limit of $0 is no division by zero: unused until something is spent."""
    unused, used = budget_metrics([make.budget(0, 0), make.budget(1, 0)], ())

    assert (unused.used_percent, unused.state) == (0.0, "ok")
    assert used.state == "exceeded"


def test_money_is_decimal_and_what_is_left_excludes_what_is_reserved(make: type[Make]) -> None:
    """A money budget speaks Decimal USD and has no numbers in tokens."""
    view = make.budget(41_500_000_000, 50 * NANO, reserved=120_000_000)
    config = BudgetConfig.model_validate({"name": "month", "match": {"service": "openai"}, "limit_usd": "50"})

    (metrics,) = budget_metrics([view], [config])

    assert (metrics.spent_usd, metrics.reserved_usd) == (Decimal("41.5"), Decimal("0.12"))
    assert metrics.remaining_usd == Decimal("8.38")
    assert metrics.limit_tokens is None
    assert metrics.match == {"service": "openai"}
    assert metrics.kind_words == "Hard limit"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("fail", "Soft limit"),
        ("skip", "Skip (soft limit)"),
        ("degrade", "Degrade (soft limit)"),
        ("warn", "Warn only"),
    ],
)
def test_a_budget_that_reserves_what_is_expected_is_never_called_hard(make: type[Make], kind: str, words: str) -> None:
    """Its limit can be passed, so every screen says so."""
    (metrics,) = budget_metrics([make.budget(1, 2, kind=kind, reserve="expected")], ())

    assert (metrics.kind_words, metrics.reserve) == (words, "expected")


def test_token_budgets_have_no_money(make: type[Make]) -> None:
    """A token budget speaks whole tokens and has no numbers in USD."""
    (metrics,) = budget_metrics([make.budget(10, 100, unit="tokens", reserved=5)], ())

    assert (metrics.spent_tokens, metrics.remaining_tokens, metrics.limit_usd) == (10, 85, None)


def test_a_total_budget_never_resets(make: type[Make]) -> None:
    """Without a period there is neither a start nor an end."""
    (metrics,) = budget_metrics([make.budget(1, 2, period="total", period_start=0, period_end=None)], ())

    assert (metrics.period_start, metrics.resets_at) == (None, None)


def test_criticality_comes_from_the_configuration(make: type[Make]) -> None:
    """A service is critical only when it is configured so."""
    views = [make.breaker("openai"), make.breaker("gone")]

    openai, gone = breaker_metrics(views, {"openai": ServiceConfig(critical=True)})

    assert (openai.critical, gone.critical) == (True, False)


def test_a_limit_says_what_is_used_of_it(make: type[Make]) -> None:
    """Use is a percentage, rounded down."""
    (metrics,) = limit_metrics([make.limit(5999, 6000)])

    assert (metrics.used_percent, metrics.window_seconds) == (99.9, 60.0)


def test_only_two_thresholds_make_a_critical_one(make: type[Make]) -> None:
    """With one threshold below 100 % there is a warning and nothing between it and exceeded."""
    (metrics,) = budget_metrics([make.budget(95, 100, thresholds=(0.8, 1.0))], ())

    assert metrics.state == "warning"
