from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from switchgear.calls import Usage
from switchgear.ledger.usage_views import Steps, UsageFilter

if TYPE_CHECKING:
    from tests.ledger.conftest import CallFields, Rows

    from switchgear.ledger import Ledger

HOUR = 3_600_000_000
QUARTER = HOUR // 4


@pytest.fixture
def filled(ledger: Ledger, rows: Rows) -> Ledger:
    """Four calls in three hours, for two jobs and teams; one of them unpriced, one on the wire, one refused."""
    calls: list[tuple[int, int | None, CallFields]] = [
        (0, 5, {"job": "x", "tags": (("team", "a"),)}),
        (QUARTER, 7, {"job": "y", "service": "other"}),
        (HOUR, None, {"job": "x", "tags": (("team", "a"),)}),
        (2 * HOUR, 11, {"job": "x", "tags": (("team", "b"),), "layer": "l"}),
    ]
    for number, (after, cost, fields) in enumerate(calls):
        ledger.reserve(rows.reserved(f"call-{number}", at=rows.noon + after, **fields)).wait()
        usage = Usage(input_tokens=90, output_tokens=10)
        ledger.settle(rows.settled(f"call-{number}", cost=cost, usage=usage, model="billed")).wait()
    ledger.reserve(rows.reserved("open", at=rows.noon, job="x")).wait()
    ledger.refuse(rows.refused("no", at=rows.noon, job="x")).wait()
    return ledger


@pytest.mark.parametrize(
    ("match", "each", "expected"),
    [
        ({}, None, {None: {0: 12, 1: 0, 2: 11}}),
        ({"service": "openai"}, None, {None: {0: 5, 1: 0, 2: 11}}),
        ({"layer": "l"}, None, {None: {2: 11}}),
        ({"job": "x"}, None, {None: {0: 5, 1: 0, 2: 11}}),
        ({"model": "gpt-5"}, "job", {"x": {0: 5, 1: 0, 2: 11}, "y": {0: 7}}),
        ({"model": "billed"}, None, {}),
        ({}, "tag.team", {"a": {0: 5, 1: 0}, "b": {2: 11}}),
        ({"tag.team": "a"}, None, {None: {0: 5, 1: 0}}),
        ({"tag.team": "a"}, "service", {"openai": {0: 5, 1: 0}}),
        ({}, "layer", {"l": {2: 11}}),
        ({"tag.none": "a"}, None, {}),
    ],
)
def test_history_is_what_a_budget_counts(
    filled: Ledger,
    rows: Rows,
    match: dict[str, str],
    each: str | None,
    expected: dict[str | None, dict[int, int]],
) -> None:
    """Settled calls that match, by the model that was asked for, for each value, hour by hour."""
    steps = Steps(since=rows.noon, until=rows.noon + 3 * HOUR, size_us=HOUR)

    found = filled.reader.usage.history(steps, tokens=False, match=match, each=each)

    hours = {value: {(at - rows.noon) // HOUR: cost for at, cost in costs.items()} for value, costs in found.items()}
    assert hours == expected


def test_tokens_count_in_and_out_and_steps_follow_the_clock(filled: Ledger, rows: Rows) -> None:
    """A step may begin at any quarter; the end is exclusive."""
    steps = Steps(since=rows.noon, until=rows.noon + 2 * HOUR, size_us=HOUR, shift_us=3 * QUARTER)

    found = filled.reader.usage.history(steps, tokens=True, match={})

    assert found == {None: {rows.noon - 3 * QUARTER: 100, rows.noon + QUARTER: 200}}


def test_extent_is_in_whole_quarters(ledger: Ledger, rows: Rows) -> None:
    """From the first roll-up to the end of the last; None in an empty ledger."""
    assert ledger.reader.usage.extent() is None
    ledger.refuse(rows.refused("a", at=rows.noon + 1)).wait()
    ledger.refuse(rows.refused("b", at=rows.noon + HOUR + 1)).wait()

    assert ledger.reader.usage.extent() == (rows.noon, rows.noon + HOUR + QUARTER)
    assert ledger.reader.usage.rollup_sums(UsageFilter(until=rows.noon)) == []
