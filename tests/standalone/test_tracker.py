# ruff: noqa: ANN401 - what the types forbid is handed over all the same

from __future__ import annotations

import json
import sys
import threading
from decimal import Decimal
from typing import Any

import pytest

import switchgear as sg
from switchgear import TokenTracker, TokenTrackerRegistry
from switchgear.events import BudgetCrossed
from switchgear.testing import ManualClock

PRICES: dict[str, dict[str, dict[str, str | int | Decimal]]] = {
    "local": {"m": {"input": "1", "output": "2", "cache_read": "0.5"}, "*": {"input": 10, "output": 10}}
}


def _tracker(budget: str | None = None, **settings: Any) -> TokenTracker:
    return TokenTracker(budget, prices=PRICES, **settings)


def test_a_call_is_recorded_with_its_cost() -> None:
    """Tokens of every kind are counted at the price of their model, to the nano-dollar."""
    used = _tracker().record("local", "m", 1000, 100, cache_read_tokens=400, layer="research", job="acme", run="r1")
    assert used.cost_usd == Decimal("0.001")
    assert (used.input_tokens, used.output_tokens, used.cache_read_tokens) == (1000, 100, 400)
    assert (used.layer, used.job, used.run, used.estimated) == ("research", "acme", "r1", False)
    assert used.price_version


def test_sums_are_kept_by_provider_model_layer_job_and_run() -> None:
    """Each call is in one sum of each kind, so each kind adds up to the total."""
    tracker = _tracker()
    tracker.record("local", "m", 10, 5, layer="a", job="j")
    tracker.record("local", "other", 10, 5, layer="b")
    tracker.record("nowhere", "x", 7, 3)
    assert {name: one.tokens for name, one in tracker.by_provider.items()} == {"local": 30, "nowhere": 10}
    assert {name: one.calls for name, one in tracker.by_model.items()} == {
        "local/m": 1,
        "local/other": 1,
        "nowhere/x": 1,
    }
    assert {name: one.tokens for name, one in tracker.by_layer.items()} == {"": 10, "a": 15, "b": 15}
    assert {name: one.tokens for name, one in tracker.by_job.items()} == {"": 25, "j": 15}
    assert {name: one.tokens for name, one in tracker.by_run.items()} == {"": 40}
    assert tracker.by_provider["nowhere"].unpriced_calls == 1
    total = tracker.summary().total
    assert (total.calls, total.input_tokens, total.output_tokens, total.unpriced_calls) == (3, 27, 13, 1)
    assert total.cost_usd == Decimal("0.00017")


def test_attribution_is_taken_from_the_context() -> None:
    """Inside ``sg.attribution`` nothing has to be said twice; what is said goes first."""
    tracker = _tracker()
    with sg.attribution(job="acme", layer="research"):
        assert tracker.record("local", "m", 1, 1).job == "acme"
        assert tracker.record("local", "m", 1, 1, layer="letter").layer == "letter"
    assert set(tracker.by_layer) == {"letter", "research"}


def test_budget_05_an_unknown_price_is_unpriced_and_never_zero() -> None:
    """A model without a price has no cost; it is counted, and refused on demand."""
    tracker = TokenTracker("1")
    assert tracker.record("nowhere", "x", 5, 5).cost_usd is None
    summary = tracker.summary()
    assert summary.budget is not None
    assert (summary.total.cost_usd, summary.total.unpriced_calls, summary.budget.unpriced) == (Decimal(0), 1, 1)
    strict = TokenTracker(unpriced="refuse")
    with pytest.raises(sg.Unpriced, match="no price is known for model 'x' of nowhere"):
        strict.record("nowhere", "x", 5, 5)
    assert strict.summary().total.tokens == 10
    with pytest.raises(sg.Unpriced):
        strict.reserve("nowhere", "x", 5, 5)
    with tracker.reserve("nowhere", "x", 5, 5) as held:
        assert held.settle(5, 5) is not None
    assert tracker.summary().total.unpriced_calls == 2


@pytest.mark.parametrize(("action", "error"), [("fail", sg.BudgetExceeded), ("skip", sg.Skipped), ("warn", None)])
def test_a_record_beyond_the_budget_is_counted_and_raises(action: Any, error: type[sg.Refused] | None) -> None:
    """What was spent is never lost; the call after which the budget is exceeded says so, by the tracker's action."""
    tracker = _tracker("0.000100", action=action)
    tracker.record("local", "m", 100, 0)
    assert tracker.remaining == 0
    if error is None:
        tracker.record("local", "m", 1, 0)
    else:
        with pytest.raises(error) as caught:
            tracker.record("local", "m", 1, 0)
        assert isinstance(caught.value, sg.BudgetExceeded)
        assert (caught.value.budget, caught.value.spent) == ("tracker", Decimal("0.000101"))
    assert tracker.summary().total.cost_usd == Decimal("0.000101")


def test_budget_01_reservations_hold_the_budget() -> None:
    """Sixty-four threads on room for three: three are let go, and what they leave over is free again."""
    tracker = _tracker("0.0005", name="held")
    gone: list[Any] = []
    ready = threading.Barrier(64)

    def call() -> None:
        ready.wait()
        try:
            gone.append(tracker.reserve("local", "m", 100, 30))  # $0.00016
        except sg.BudgetExceeded:
            return

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=call) for _ in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(gone) == 3
    used = gone[0].settle(100, 10)
    assert gone[0].settle(100, 30) is used is gone[0].usage
    assert tracker.remaining == Decimal("0.00006")
    gone[1].release()
    assert gone[1].settle(1, 1) is None
    assert tracker.summary().total.calls == 1


def test_a_block_that_does_not_say_what_it_used_is_an_estimate() -> None:
    """At its end all that was reserved counts, marked as such; without a budget too."""
    for tracker in (_tracker(), _tracker("1")):
        with tracker.reserve("local", "m", 100, 30, layer="a") as held:
            pass
        assert held.usage is not None
        assert (held.usage.estimated, held.usage.cost_usd, held.usage.output_tokens) == (True, Decimal("0.00016"), 30)
        with tracker.reserve("local", "m", 100, 30) as other:
            other.release()
        assert tracker.summary().total.calls == 1


def test_listeners_hear_of_thresholds() -> None:
    """The crossings of the tracker's budget are told once; a tracker without one has none."""
    seen: list[BudgetCrossed] = []
    tracker = _tracker("0.0001", action="warn", name="t")
    tracker.subscribe(seen.append)
    for _ in range(3):
        tracker.record("local", "m", 95, 0)
    assert [(one.budget, one.threshold) for one in seen] == [("t", 0.75), ("t", 0.9), ("t", 1.0)]
    _tracker().subscribe(seen.append)()


def test_a_listed_model_has_the_price_of_its_day() -> None:
    """Without own prices those of the list count, by provider and date, also by a dated name."""
    tracker = TokenTracker(clock=ManualClock(1_795_000_000.0))
    assert tracker.record("openai", "gpt-4o-mini-2024-07-18", 1_000_000, 0).cost_usd == Decimal("0.15")


def test_a_dictionary_is_json_with_money_as_text() -> None:
    """Everything is in it, and no amount is a float."""
    tracker = _tracker("1", name="t")
    tracker.record("local", "m", 1000, 0, job="acme")
    found = json.loads(json.dumps(tracker.to_dict()))
    assert (found["name"], found["total"]["cost_usd"], found["budget"]["remaining"]) == ("t", "0.001", "0.999")
    assert found["by_job"]["acme"]["cost_usd"] == found["by_provider"]["local"]["cost_usd"] == "0.001"
    assert _tracker().to_dict()["budget"] is None


def test_a_reset_forgets_all_sums() -> None:
    """After it nothing was ever recorded, with or without a budget."""
    for tracker in (_tracker(), _tracker("1")):
        tracker.record("local", "m", 1000, 0)
        tracker.reset()
        assert tracker.summary().total.calls == 0
        assert tracker.by_provider == {}
        assert tracker.remaining in {None, Decimal(1)}


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"budget_usd": 0.5}, TypeError, "not float"),
        ({"budget_usd": 0}, ValueError, "greater than 0"),
        ({"action": "explode"}, ValueError, "one of fail, warn, skip"),
        ({"period": "fortnight"}, ValueError, "a period is one of"),
        ({"unpriced": "maybe"}, ValueError, "one of allow, refuse, not 'maybe'"),
        ({"prices": {"p": {"m": {"input": 0.5}}}}, TypeError, "not float"),
        ({"prices": {"p": {"m": {"input": "-1"}}}}, ValueError, "a price is not negative"),
    ],
)
def test_settings_that_can_not_be_meant_are_refused(settings: Any, error: type[Exception], message: str) -> None:
    """Also those that a tracker without a budget has no use for."""
    with pytest.raises(error, match=message):
        TokenTracker(**settings)


@pytest.mark.parametrize("count", [-1, 1.5, True, "5", None])
def test_counts_that_can_not_be_meant_count_nothing(count: Any) -> None:
    """A negative, a fraction, a bool or a text is no number of tokens."""
    tracker = _tracker("1")
    held = tracker.reserve("local", "m", 1, 1)
    for ask in (tracker.record, tracker.reserve):
        with pytest.raises(ValueError, match="input_tokens is a whole number from 0 on"):
            ask("local", "m", count, 0)
    with pytest.raises(ValueError, match="output_tokens is a whole number from 0 on"):
        held.settle(1, count)
    assert tracker.summary().total.calls == 0
    assert held.settle(1, 1) is not None


@pytest.mark.parametrize(("provider", "model"), [("", "m"), ("p", ""), (None, "m"), ("p", 5)])
def test_provider_and_model_are_names(provider: Any, model: Any) -> None:
    """A call of nobody is not counted."""
    with pytest.raises(ValueError, match="is a name, not"):
        _tracker().record(provider, model, 1, 1)


def test_budget_19_an_unlimited_tracker_hides_no_budget() -> None:
    """Totals of all trackers show the limited ones' budget, whatever the unlimited one spends."""
    registry = TokenTrackerRegistry()
    registry.get_or_create("free", prices=PRICES)
    registry.get_or_create("small", budget_usd="1", prices=PRICES)
    registry.get_or_create("large", budget_usd="3", prices=PRICES)
    members = registry.all()
    members["free"].record("local", "m", 50_000_000, 0)
    members["small"].record("local", "m", 500_000, 0)
    members["large"].reserve("local", "m", 1_000_000, 0)
    totals = registry.totals()
    assert (totals.trackers, totals.unlimited, totals.calls) == (3, 1, 2)
    assert (totals.cost_usd, totals.budget_usd, totals.spent_usd) == (Decimal("50.5"), Decimal(4), Decimal("0.5"))
    assert (totals.reserved_usd, totals.remaining_usd, totals.used_percent) == (Decimal(1), Decimal("2.5"), 12.5)


def test_totals_without_any_budget_have_none() -> None:
    """No limit is None, not zero: an empty registry and one of unlimited trackers have no budget to show."""
    registry = TokenTrackerRegistry()
    assert registry.totals().budget_usd is None
    registry.get_or_create("free")
    totals = registry.totals()
    assert (totals.budget_usd, totals.remaining_usd, totals.used_percent, totals.unlimited) == (None, None, None, 1)


def test_a_name_has_one_setting() -> None:
    """Asking for a tracker with another budget is a conflict that names both."""
    registry = TokenTrackerRegistry()
    one = registry.get_or_create("t", budget_usd="1")
    assert registry.get_or_create("t") is one
    assert registry.get_or_create("t", budget_usd=Decimal("1.00")) is one
    with pytest.raises(sg.ConfigError, match="budget_usd"):
        registry.get_or_create("t", budget_usd="2")
    one.record("nowhere", "x", 1, 1)
    registry.reset_all()
    assert registry.stats()["t"].total.calls == 0
