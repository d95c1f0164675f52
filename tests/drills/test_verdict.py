from __future__ import annotations

import json

import pytest

from switchgear.drills.running import report_of
from switchgear.drills.verdict import Bound, Check, Report, Result, Status


def check(measured: float | None, bound: Bound = "at most", wanted: float = 5, unit: str = "calls") -> Check:
    """Return a check."""
    return Check(what="calls that got through", measured=measured, bound=bound, wanted=wanted, unit=unit)


@pytest.mark.parametrize(
    ("bound", "measured", "passed"),
    [
        ("at most", 5, True),
        ("at most", 5.01, False),
        ("at least", 5, True),
        ("at least", 4.99, False),
        ("exactly", 5, True),
        ("exactly", 6, False),
        ("exactly", 4, False),
        ("at most", None, False),
        ("at least", None, False),
        ("exactly", None, False),
    ],
)
def test_a_check_passes_only_within_its_threshold(bound: Bound, measured: float | None, *, passed: bool) -> None:
    """A figure passes within its bound, and nothing measured passes never."""
    assert check(measured, bound).passed is passed


@pytest.mark.parametrize(
    ("measured", "unit", "said"),
    [
        (1234.0, "calls", "1,234 calls"),
        (0.000000001, "USD", "$0.000000001"),
        (0.01, "USD", "$0.01"),
        (0.0, "USD", "$0"),
        (12.345, "ms", "12.3 ms"),
        (99.87, "%", "99.9 %"),
        (123.46, "ms", "123.5 ms"),
        (None, "calls", "nothing"),
    ],
)
def test_figures_are_said_without_noise_and_money_to_the_last_nano(
    measured: float | None, unit: str, said: str
) -> None:
    """Whole numbers are whole, money is exact, everything else has three digits."""
    assert check(measured, unit=unit).figure == said


def test_a_threshold_says_its_bound() -> None:
    """What was wanted is said with how it is meant."""
    assert check(1, "at least", 97, "%").threshold == "at least 97 %"


def results(*statuses: Status) -> Report:
    """Return a report of scenarios that came to *statuses*."""
    made = [Result(scenario=f"s{number}", title="t", status=status) for number, status in enumerate(statuses)]
    return report_of(made, at=1_795_521_600.0, quick=True)


@pytest.mark.parametrize(
    ("statuses", "passed"),
    [
        (("passed", "passed"), True),
        (("passed", "failed"), False),
        (("passed", "not_run"), False),
        ((), False),
    ],
)
def test_a_report_passes_only_if_every_scenario_did(statuses: tuple[Status, ...], *, passed: bool) -> None:
    """One that failed, one that was not run, or none at all is no pass."""
    assert results(*statuses).passed is passed


def test_the_json_has_a_version_figures_and_verdicts() -> None:
    """Whoever reads it by program finds the form's version, and each figure with its threshold and verdict."""
    result = Result(scenario="s", title="t", status="failed", checks=(check(7),), seconds=1.5)
    found = json.loads(json.dumps(report_of([result], at=1_795_521_600.0, quick=False).to_dict()))

    assert (found["format"], found["passed"], found["at"]) == (1, False, "2026-11-24T12:00:00Z")
    assert found["results"][0]["checks"] == [
        {
            "what": "calls that got through",
            "measured": 7,
            "bound": "at most",
            "wanted": 5,
            "unit": "calls",
            "passed": False,
        }
    ]
