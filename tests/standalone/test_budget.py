# ruff: noqa: ANN401 - what the types forbid is handed over all the same

from __future__ import annotations

import asyncio
import datetime as dt
import json
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

import switchgear as sg
from switchgear import Budget
from switchgear.events import BudgetCrossed
from switchgear.standalone.budget import Reservation
from switchgear.testing import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    """Noon of 24 November 2026, UTC."""
    return ManualClock(dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC).timestamp())


@pytest.fixture
def fast_switching() -> Iterator[None]:
    """Threads that change places as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("fast_switching")
def test_budget_01_threads_never_overspend() -> None:
    """Sixty-four threads on $0.50 at $0.16 each: three are let go, and at no instant is more held than there is."""
    budget = Budget("b", limit_usd="0.50")
    held: list[Reservation] = []
    refused: list[sg.BudgetExceeded] = []
    most: list[Decimal | int] = []
    ready = threading.Barrier(64)

    def call() -> None:
        ready.wait()
        try:
            held.append(budget.reserve("0.16"))
        except sg.BudgetExceeded as error:
            refused.append(error)
        stats = budget.stats()
        most.append(stats.spent + stats.reserved)

    threads = [threading.Thread(target=call) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(held), len(refused)) == (3, 61)
    assert max(most) <= Decimal("0.50")
    assert budget.stats().refused == 61


async def test_budget_01_tasks_never_overspend() -> None:
    """Five hundred tasks on room for three: three are let go."""
    budget = Budget("b", limit_usd="0.50")

    async def call() -> bool:
        try:
            budget.reserve("0.16")
        except sg.BudgetExceeded:
            return False
        await asyncio.sleep(0)
        return True

    assert sum(await asyncio.gather(*(call() for _ in range(500)))) == 3


def test_budget_02_the_surplus_is_free_at_once_and_settling_twice_is_settling_once() -> None:
    """Settling below the reservation makes room; what comes after the first settlement does nothing."""
    budget = Budget("b", limit_usd="0.16")
    held = budget.reserve("0.16")
    assert (held.amount, budget.remaining) == (Decimal("0.16"), 0)
    held.settle("0.02")
    held.settle("0.10")
    held.release()
    assert (budget.spent, budget.reserved, budget.remaining) == (Decimal("0.02"), 0, Decimal("0.14"))
    budget.reserve("0.14")


def test_a_released_reservation_was_never_there() -> None:
    """Giving it back spends nothing, and it can't be settled any more."""
    budget = Budget("b", limit_usd=1)
    held = budget.reserve(1)
    held.release()
    held.release()
    held.settle(1)
    assert (budget.spent, budget.reserved) == (0, 0)


def test_a_block_that_does_not_say_what_it_used_has_used_all_of_it() -> None:
    """Leaving a ``with`` block unsettled, or by an exception, counts the worst case."""
    budget = Budget("b", limit_usd=1)
    with budget.reserve("0.25"):
        pass
    with pytest.raises(RuntimeError), budget.reserve("0.25"):
        raise RuntimeError
    with budget.reserve("0.25") as held:
        held.settle("0.05")
    with budget.reserve("0.25") as held:
        held.release()
    assert budget.spent == Decimal("0.55")


def test_a_refusal_carries_its_facts() -> None:
    """Budget, limit, spent and reserved are on the error, as Decimal; nothing is held."""
    budget = Budget("acme", limit_usd="1.00")
    budget.add("0.30")
    budget.reserve("0.20")
    with pytest.raises(sg.BudgetExceeded) as caught:
        budget.reserve("0.60")
    error = caught.value
    facts = (error.budget, error.service, error.limit, error.spent, error.reserved, error.retry_after)
    assert facts == ("acme", "acme", 1, Decimal("0.3"), Decimal("0.2"), None)
    assert str(error) == (
        "budget acme has no room for this call: worst case $0.60, $0.30 spent and $0.20 reserved of $1.00"
    )


def test_budget_06_warn_lets_pass_and_tells_each_threshold_once() -> None:
    """Beyond the limit calls still pass; 75, 90 and 100 % are each told once, outside the lock."""
    budget = Budget("b", limit_usd=1, action="warn")
    seen: list[tuple[float, Decimal | int]] = []

    def listen(event: BudgetCrossed) -> None:
        seen.append((event.threshold, budget.spent))  # would deadlock under the lock

    stop = budget.subscribe(listen)
    for _ in range(6):
        budget.reserve("0.30").settle("0.30")
    assert [one for one, _ in seen] == [0.75, 0.9, 1.0]
    stop()
    budget.reset()
    budget.add(1)
    assert len(seen) == 3


def test_budget_07_skip_raises_skipped() -> None:
    """A budget that skips says so by the error's class."""
    with pytest.raises(sg.Skipped):
        Budget("b", limit_usd=1, action="skip").reserve("1.01")


def test_budget_09_a_month_ends_at_local_midnight_of_the_first(clock: ManualClock) -> None:
    """In Vienna the month is over an hour before that of UTC, and the refusal says when."""
    budget = Budget("b", limit_usd=1, period="month", timezone="Europe/Vienna", clock=clock)
    budget.add(1)
    with pytest.raises(sg.BudgetExceeded) as caught:
        budget.reserve("0.01")
    reset = dt.datetime(2026, 11, 30, 23, tzinfo=dt.UTC).timestamp()
    assert caught.value.retry_at == budget.stats().resets_at == reset
    late = budget.reserve(0)
    clock.advance(reset - clock.now())
    assert budget.spent == 0
    late.settle("0.5")
    assert budget.spent == 0
    assert budget.stats().period_start == reset


@pytest.mark.parametrize("period", ["24h", 86_400, dt.timedelta(days=1)])
def test_a_rolling_period_frees_what_is_old(clock: ManualClock, period: Any) -> None:
    """A day after it was spent it does not count, and the refusal knows."""
    budget = Budget("b", limit_usd=1, period=period, clock=clock)
    budget.add("0.6")
    clock.advance(3600)
    budget.add("0.4")
    with pytest.raises(sg.BudgetExceeded) as caught:
        budget.reserve("0.5")
    assert caught.value.retry_after == 23 * 3600
    clock.advance(23 * 3600)
    budget.reserve("0.5")
    assert (budget.stats().period, budget.stats().resets_at) == ("1d", None)


def test_budget_12_what_was_used_beyond_the_reservation_is_spent() -> None:
    """More than was reserved is counted, and the budget is exceeded for those who come later."""
    budget = Budget("b", limit_usd=1)
    budget.reserve("0.5").settle("1.5")
    assert (budget.spent, budget.remaining, budget.status, budget.used_percent) == (Decimal("1.5"), 0, "exceeded", 150)
    with pytest.raises(sg.BudgetExceeded, match="is exceeded"):
        budget.reserve(0)


@pytest.mark.parametrize(("action", "error"), [("fail", sg.BudgetExceeded), ("skip", sg.Skipped), ("warn", None)])
def test_what_is_added_is_counted_whether_it_fits_or_not(action: Any, error: type[sg.Refused] | None) -> None:
    """Spending that is told afterwards is never lost; beyond the limit it raises as well."""
    budget = Budget("b", limit_usd=1, action=action)
    budget.add("0.7")
    budget.add("0.3")
    if error is None:
        budget.add("0.5")
    else:
        with pytest.raises(error, match=r"budget b is exceeded: \$1.50 spent and \$0.00 reserved of \$1.00"):
            budget.add("0.5")
    assert budget.spent == Decimal("1.5")
    budget.add(None)
    assert budget.stats().unpriced == 1


def test_budget_05_an_unknown_price_is_counted_and_no_money() -> None:
    """Settling without a price counts one unpriced call."""
    budget = Budget("b", limit_usd=1)
    budget.reserve("0.5").settle(None)
    assert (budget.spent, budget.reserved, budget.stats().unpriced) == (0, 0, 1)


def test_budget_18_tokens_follow_the_same_rules() -> None:
    """A budget of tokens reserves and settles whole numbers."""
    budget = Budget("b", limit_tokens=100)
    held = budget.reserve(80)
    with pytest.raises(sg.BudgetExceeded, match="worst case 30 tokens, 0 tokens spent and 80 tokens reserved of 100"):
        budget.reserve(30)
    held.settle(10)
    assert (budget.limit, budget.spent, budget.remaining, budget.reserve(90).amount) == (100, 10, 90, 90)


@pytest.mark.parametrize(
    ("spent", "thresholds", "status"),
    [
        ("0.7499", (0.75, 0.9, 1.0), "ok"),
        ("0.75", (0.75, 0.9, 1.0), "warning"),
        ("0.9", (0.75, 0.9, 1.0), "critical"),
        ("1", (0.75, 0.9, 1.0), "exceeded"),
        ("0.99", (0.5, 1.0), "warning"),
        ("0.99", (), "ok"),
        ("1", (), "exceeded"),
    ],
)
def test_a_status_is_that_of_the_thresholds(spent: str, thresholds: tuple[float, ...], status: str) -> None:
    """Exceeded from 100 % on; below, the first threshold warns and the last is critical."""
    budget = Budget("b", limit_usd=1, thresholds=thresholds)
    budget.add(spent)
    assert budget.status == status


def test_a_reset_forgets_what_was_spent_and_not_what_is_held() -> None:
    """A call in flight still counts after the reset."""
    budget = Budget("b", limit_usd=1)
    held = budget.reserve("0.4")
    budget.add("0.6")
    budget.reset()
    assert (budget.spent, budget.reserved) == (0, Decimal("0.4"))
    held.settle("0.4")
    assert budget.spent == Decimal("0.4")


def test_a_dictionary_is_json_with_money_as_text() -> None:
    """No amount is a float on its way to JSON."""
    budget = Budget("b", limit_usd="0.30")
    budget.add("0.1")
    found = json.loads(json.dumps(budget.to_dict()))
    assert (found["limit"], found["spent"], found["remaining"], found["used_percent"]) == ("0.3", "0.1", "0.2", 33.3)
    assert (found["name"], found["unit"], found["status"], found["reserved"]) == ("b", "usd", "ok", "0")
    assert budget.settings["limit_usd"] == Decimal("0.3")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({}, ValueError, "a budget has one limit: limit_usd or limit_tokens"),
        ({"limit_usd": 1, "limit_tokens": 1}, ValueError, "limit_usd or limit_tokens, not both"),
        ({"limit_usd": 0}, ValueError, "limit_usd is greater than 0, not 0"),
        ({"limit_usd": "-1"}, ValueError, "greater than 0"),
        ({"limit_usd": "NaN"}, ValueError, "not an amount of USD"),
        ({"limit_usd": Decimal("Infinity")}, ValueError, "not an amount of USD"),
        ({"limit_usd": 0.5}, TypeError, "not float"),
        ({"limit_usd": True}, TypeError, "not bool"),
        ({"limit_tokens": 0}, ValueError, "limit_tokens is a whole number from 1 on"),
        ({"limit_tokens": True}, ValueError, "limit_tokens is a whole number from 1 on"),
        ({"limit_tokens": 1.5}, ValueError, "limit_tokens is a whole number from 1 on"),
        ({"limit_usd": 1, "period": "fortnight"}, ValueError, "a period is one of total, hour, day"),
        ({"limit_usd": 1, "period": 0}, ValueError, "a period is one of total, hour, day"),
        ({"limit_usd": 1, "action": "degrade"}, ValueError, "one of fail, warn, skip, not 'degrade'"),
        ({"limit_usd": 1, "thresholds": (0,)}, ValueError, "a threshold is a number above 0"),
        ({"limit_usd": 1, "thresholds": (1.5,)}, ValueError, "a threshold is a number above 0"),
        ({"limit_usd": 1, "timezone": "Mars/Olympus"}, ValueError, "unknown time zone 'Mars/Olympus'"),
    ],
)
def test_settings_that_can_not_be_meant_are_refused(settings: Any, error: type[Exception], message: str) -> None:
    """Each says in one sentence what is wanted."""
    with pytest.raises(error, match=message):
        Budget("b", **settings)


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", 5])
def test_a_name_is_one_line_of_text(name: Any) -> None:
    """It stands in messages and logs."""
    with pytest.raises(ValueError, match="one line of text"):
        Budget(name, limit_usd=1)


@pytest.mark.parametrize(
    ("unit", "amount", "error"),
    [
        ("limit_usd", 0.1, TypeError),
        ("limit_usd", True, TypeError),
        ("limit_usd", "-0.1", ValueError),
        ("limit_usd", "NaN", ValueError),
        ("limit_usd", "0.0000000001", ValueError),
        ("limit_tokens", 1.0, TypeError),
        ("limit_tokens", "5", TypeError),
        ("limit_tokens", True, TypeError),
        ("limit_tokens", -1, ValueError),
    ],
)
def test_amounts_that_can_not_be_meant_hold_nothing(unit: str, amount: Any, error: type[Exception]) -> None:
    """A float, a bool, a negative or endless amount is refused, and a reservation stays open."""
    settings: Any = {unit: 10}
    budget = Budget("b", **settings)
    held = budget.reserve(1)
    for ask in (budget.reserve, budget.add, held.settle):
        with pytest.raises(error):
            ask(amount)
    assert (budget.spent, budget.reserved) == (0, 1)
