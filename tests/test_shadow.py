"""Shadow mode from the configuration to what people see of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from switchgear.clients.governor import Governor
from switchgear.config import Config
from switchgear.errors import ConfigError
from switchgear.insight.snapshot import MetricsCollector
from switchgear.telemetry.prometheus import PrometheusPage
from switchgear.testing import ManualClock

SHADOWS = """
[services.llm]
kind = "openai"
base_url = "http://127.0.0.1:9"
max_wait = "0s"
prices = { "m" = { input = "1", output = "2" } }
limits = { requests_per_minute = 60 }
shadow_limits = { requests_per_minute = 2 }

[[budgets]]
name = "tight"
limit_usd = "0.001"
shadow = true
"""


@pytest.fixture
def governor(make_config: Callable[[str], Config]) -> Iterator[Governor]:
    """A gate with a shadow limit and a shadow budget, after five calls."""
    with Governor(make_config(SHADOWS), clock=ManualClock(1_800_000_000.0)) as governor:
        for _ in range(5):
            with governor.call("llm", model="m", input_tokens=300):
                pass
        yield governor


@pytest.fixture
def collector(governor: Governor) -> MetricsCollector:
    """What people see of it."""
    return MetricsCollector(governor.ledger.reader, governor.state, governor.clock, config=governor.config)


def test_every_call_goes_and_the_metrics_say_what_would_not(collector: MetricsCollector) -> None:
    """Five calls went; enforced, three would have been refused by the limit, two by the budget."""
    snapshot = collector.snapshot()
    assert (snapshot.today.ok, snapshot.today.refused) == (5, 0)
    real, shadow = snapshot.limits
    assert (real.used, real.shadow, shadow.used, shadow.shadow, shadow.would_refuse) == (5, False, 2, True, 3)
    budget = snapshot.budgets[0]
    assert (budget.kind_words, budget.would_refuse, budget.refused) == ("Shadow: hard limit", 2, 0)


def test_health_does_not_look_at_shadows(collector: MetricsCollector) -> None:
    """A full shadow limit is what it is for; nothing is wrong."""
    snapshot = collector.snapshot()
    assert snapshot.limits[1].used_percent == 100.0
    assert snapshot.health.status == "healthy"


def test_prometheus_keeps_shadows_apart(collector: MetricsCollector) -> None:
    """Each limit has one sample in the common families, and shadows have families of their own."""
    page = PrometheusPage(collector, "0").render().decode()
    assert page.count('switchgear_limit_used{rule="requests_per_minute",service="llm"}') == 1
    assert 'switchgear_shadow_limit_calls_total{rule="requests_per_minute",service="llm",verdict="refuse"} 3.0' in page
    assert 'switchgear_shadow_budget_refused_total{budget="tight",value=""} 2.0' in page
    assert "switchgear_budget_spent_usd{" not in page


def test_the_first_crossing_is_on_record(governor: Governor) -> None:
    """The ledger has one event for each rule, not one for each call."""
    events = governor.ledger.reader.events(kind="shadow_exceeded")
    assert sorted((event.subject, event.what["count"]) for event in events) == [
        ("requests_per_minute", 1),
        ("tight", 1),
    ]


def test_a_warn_budget_has_nothing_to_shadow(make_config: Callable[[str], Config]) -> None:
    """The two are told apart when the configuration is read."""
    with pytest.raises(ConfigError, match="nothing to shadow"):
        make_config(SHADOWS + 'action = "warn"\n')
