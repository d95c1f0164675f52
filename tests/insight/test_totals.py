from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from switchgear.insight.totals import recent_calls, token_metrics

if TYPE_CHECKING:
    from tests.insight.conftest import Make


def test_shares_add_up_by_service_provider_model_and_layer(make: type[Make]) -> None:
    """Two services of one provider are one share of it; the dearest comes first."""
    rows = [
        make.totals(0, "openai-a", model="gpt", layer="fit", calls=2, ok=2, cost=3_000_000_000, input_tokens=10),
        make.totals(0, "openai-b", model="gpt", layer=None, calls=1, failed=1, cost=1_000_000_000, output_tokens=5),
        make.totals(0, "pdf", calls=4, ok=4, cost=5_000_000_000),
    ]

    found = token_metrics(
        rows, period="today", since=0, until=1, providers={"openai-a": "openai", "openai-b": "openai"}
    )

    assert [(share.name, share.cost_usd) for share in found.by_provider] == [
        ("pdf", Decimal(5)),
        ("openai", Decimal(4)),
    ]
    assert {share.name: share.calls for share in found.by_model} == {"gpt": 3, None: 4}
    assert {share.name: share.calls for share in found.by_layer} == {"fit": 2, None: 5}
    assert (found.calls, found.ok, found.failed, found.input_tokens, found.output_tokens) == (7, 6, 1, 10, 5)


@given(costs=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 10**15)), max_size=20))
def test_no_nano_dollar_is_lost_in_the_shares(make: type[Make], costs: list[tuple[str, int]]) -> None:
    """The shares of a period add up to its total, exactly."""
    rows = [make.totals(0, service, cost=cost) for service, cost in costs]

    found = token_metrics(rows, period="month", since=0, until=1, providers={})

    assert sum((share.cost_usd for share in found.by_service), Decimal(0)) == found.cost_usd


def test_the_error_rate_asks_only_calls_that_were_answered(make: type[Make]) -> None:
    """Cancelled and refused calls say nothing about a service."""
    rows = [make.totals(0, ok=8, failed=2, refused=90, cancelled=5)]

    found = recent_calls(rows, since=0, until=1, p95_us=2_100_000)

    assert (found.error_rate, found.answered, found.p95_ms) == (0.2, 10, 2100.0)


def test_without_calls_there_is_no_error_rate() -> None:
    """0 of 0 is not 0 %."""
    assert recent_calls([], since=0, until=1).error_rate is None
