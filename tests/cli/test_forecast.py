from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from switchgear.cli import source
from switchgear.insight.forecast_budgets import BudgetForecast
from switchgear.insight.metrics import plain

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


@pytest.fixture
def monthly(filled: Path) -> Path:
    """The folder with two budgets more: one of the month, one of each job's day."""
    file = filled / "switchgear.toml"
    more = """\
[[budgets]]
name = "month"
limit_usd = "5"
period = "month"
[[budgets]]
name = "each-day"
each = "layer"
limit_usd = "5"
period = "day"
"""
    file.write_text(file.read_text(encoding="utf-8") + more, encoding="utf-8")
    return filled


def test_too_little_history_is_said(monthly: Path, run: Run) -> None:
    """Two calls make no forecast: no number is shown."""
    result = run("budgets", "forecast", "month")
    found: dict[str, Any] = json.loads(run("budgets", "forecast", "month", "--json").out)

    assert result.code == 0
    assert "forecast        too little history\n" in result.out
    assert "runs out        -\n" in result.out
    assert (found["budget"], found["expected_usd"], found["note"]) == ("month", None, "too little history")


def test_a_budget_without_accounts_has_none(monthly: Path, run: Run) -> None:
    """One with an `each` is a list, which may be empty."""
    result = run("budgets", "forecast", "each-day", "--json")

    assert result.code == 0
    assert json.loads(result.out)["name"] == "each-day"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mnth", "there is no budget 'mnth'; did you mean 'month'?"),
        ("all", "budget all counts over total: that has no end to forecast"),
    ],
)
def test_what_can_not_be_forecast_is_a_usage_error(name: str, said: str, monthly: Path, run: Run) -> None:
    """An unknown budget, or one without an end, is refused with exit code 2."""
    result = run("budgets", "forecast", name)

    assert (result.code, result.out) == (2, "")
    assert said in result.err


def test_a_forecast_in_full(monthly: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figure with its band, when it runs out with its band, how it was made, and the unpriced calls."""
    day = dt.datetime(2026, 11, 24, 14, 0, tzinfo=dt.UTC)
    fields = {
        "budget": "month",
        "value": None,
        "unit": "usd",
        "period": "month",
        "period_start": day.replace(day=1),
        "period_end": dt.datetime(2026, 12, 1, tzinfo=dt.UTC),
        "generated_at": day,
        "limit_usd": "50",
        "limit_tokens": None,
        "spent_usd": "41.5",
        "spent_tokens": None,
        "expected_usd": "52.8",
        "interval": {"low_usd": "48.1", "high_usd": "57.9"},
        "exhaustion": "in this period",
        "exhausted_at": day + dt.timedelta(days=3),
        "exhausted_interval": {"early": day + dt.timedelta(days=2), "late": None},
        "method": "run rate",
        "origins": 90,
        "history_days": 120.0,
        "unpriced_calls": 3,
    }
    item = plain(msgspec.convert(fields, BudgetForecast))
    monkeypatch.setattr(source, "forecasts", lambda settings, url, name: [item])

    result = run("budgets", "forecast", "month")

    assert result.out.splitlines() == [
        "budget          month",
        "period          month, until 1 Dec 00:00",
        "spent           $41.50 of $50.00",
        "forecast        $52.80 (80 %: $48.10 to $57.90)",
        "runs out        27 Nov 14:00 (80 %: 26 Nov 14:00 to not this period)",
        "method          run rate",
        "tested on       90 forecasts of the past, 120.0 days of history",
        "unpriced calls  3",
    ]
