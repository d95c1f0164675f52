from __future__ import annotations

import datetime as dt
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from switchgear.insight.spend import HourlySpend
from switchgear.web.charts import spend_chart

START = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
money = st.decimals(min_value=0, max_value=10_000, places=9)


def _hour(cost: dict[str, Decimal], refused: int = 0) -> HourlySpend:
    return HourlySpend(start=START, cost_usd=cost, calls=len(cost), refused=refused, unpriced=0)


@given(hours=st.lists(st.dictionaries(st.sampled_from("abcdefgh"), money), min_size=1, max_size=24))
def test_columns_stay_inside_and_start_at_zero(hours: list[dict[str, Decimal]]) -> None:
    """Whatever is spent, bars stack up from the base line without a gap and stay below the top."""
    chart = spend_chart([_hour(cost) for cost in hours], list("abcdefgh"))

    for column in chart.columns:
        assert column.x >= 0
        assert column.x + column.width <= 100
        floor = Decimal(100)
        for bar in column.bars:
            assert bar.y >= 0
            assert abs(bar.y + bar.height - floor) <= Decimal("7.3")
            floor = bar.y
        assert column.cost_usd <= chart.top_usd


def test_the_axis_ends_at_a_round_number() -> None:
    """The least round amount that holds the highest column; $1 when nothing is spent."""
    tops = [spend_chart([_hour({"a": Decimal(cost)})], ["a"]).top_usd for cost in ("5.4", "0.0012", "10", "0")]

    assert tops == [Decimal(6), Decimal("0.002"), Decimal(10), Decimal(1)]


def test_a_service_keeps_its_colour() -> None:
    """The place in the configuration decides, not who spent the most; the sixth and strangers are "other"."""
    services = ["a", "b", "c", "d", "e", "f"]

    chart = spend_chart([_hour({"f": Decimal(9), "b": Decimal(1), "gone": Decimal(2)})], services)

    assert [(series.name, series.slot) for series in chart.series][:2] == [("a", 1), ("b", 2)]
    assert [(bar.name, bar.slot, bar.cost_usd) for bar in chart.columns[0].bars] == [
        ("b", 2, Decimal(1)),
        ("other", 0, Decimal(11)),
    ]


def test_a_tiny_cost_can_be_seen() -> None:
    """A bar is never so low that it vanishes; its title has the exact amount."""
    chart = spend_chart([_hour({"a": Decimal("0.000001")}), _hour({"a": Decimal(100)})], ["a"])

    assert chart.columns[0].bars[0].height > 1


def test_refusals_are_counted() -> None:
    """Hours with refusals carry their mark."""
    chart = spend_chart([_hour({}, refused=3), _hour({})], ["a"])

    assert (chart.refused, chart.columns[0].refused, chart.columns[1].refused) == (3, 3, 0)
