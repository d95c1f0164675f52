from __future__ import annotations

from switchgear.alerts.past import QUARTER_US, Quarter
from switchgear.alerts.preview import preview
from switchgear.alerts.rules import rules_of
from switchgear.config import load_text

START = 20_000 * 24 * 4 * QUARTER_US
QUIET = [Quarter(START + at * QUARTER_US, 100, 1, 50_000_000) for at in range(200)]


def test_a_burst_of_errors_would_have_fired_once() -> None:
    """A quarter in which half the calls failed fires the rules of errors, each once, and not that of cost."""
    quarters = [*QUIET]
    quarters[150] = quarters[150]._replace(failed=50)
    fired = preview(rules_of(load_text("").alerts), {"openai": quarters}, since=START, until=START + 200 * QUARTER_US)

    assert sorted((one.rule, (one.at - START) // QUARTER_US) for one in fired) == [
        ("error-rate", 151),
        ("error-spike", 151),
    ]


def test_a_cost_that_runs_away_would_have_fired() -> None:
    """Ten times the usual cost fires the rule of spikes in that quarter; a quiet past fires nothing."""
    quarters = [*QUIET[:180], *(each._replace(cost=500_000_000) for each in QUIET[180:])]
    rules = rules_of(load_text("").alerts)
    fired = preview(rules, {"openai": quarters}, since=START, until=START + 200 * QUARTER_US)

    assert [(one.rule, (one.at - START) // QUARTER_US) for one in fired] == [("cost-spike", 181)]
    assert preview(rules, {"openai": QUIET}, since=START, until=START + 200 * QUARTER_US) == []
