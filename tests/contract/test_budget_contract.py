from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from switchgear.clock import MICROS
from switchgear.events import BudgetCrossed
from switchgear.policies.budget import BudgetRule
from switchgear.state.base import Account, History, PastLimit, PastSpend

Make = Callable[..., Any]

CENT = 10_000_000


def budget(name: str = "b", limit: int = 50 * CENT, **settings: Any) -> BudgetRule:  # noqa: ANN401 - whatever it has
    """A budget of money."""
    return BudgetRule(**{"name": name, "unit": "usd", "limit": limit, **settings})


B = (Account("b"),)


def view(it: Any, name: str = "b", value: str | None = None) -> Any:  # noqa: ANN401 - a bench and a view
    """Return what is seen of one account."""
    return next(one for one in it.state.budgets(it.now) if (one.budget, one.value) == (name, value))


def test_budget_01_holds_the_worst_case(bench: Make) -> None:
    """With $0.50 left and $0.16 a call, three go and the fourth is refused with every number."""
    it = bench(budgets=(budget(),))
    for _ in range(3):
        it.admitted(budgets=B, cost=16 * CENT)

    refusal = it.refused(budgets=B, cost=16 * CENT)

    assert (refusal.reason, refusal.rule) == ("budget", "b")
    assert (refusal.used, refusal.reserved, refusal.needed, refusal.limit) == (0, 48 * CENT, 16 * CENT, 50 * CENT)


def test_budget_02_what_was_not_used_is_free_at_once(bench: Make) -> None:
    """Reserved $0.16, used $0.02: the rest is free for the next; settling twice is settling once."""
    it = bench(budgets=(budget(limit=18 * CENT),))
    call = it.admitted(budgets=B, cost=16 * CENT)
    it.refused(budgets=B, cost=16 * CENT)

    it.settle(call, cost=2 * CENT)
    it.settle(call, cost=2 * CENT)

    it.admitted(budgets=B, cost=16 * CENT)
    assert (view(it).spent, view(it).reserved) == (2 * CENT, 16 * CENT)


def test_budget_03_all_or_nothing(bench: Make) -> None:
    """Of three budgets the job's refuses: nothing is held in the others, and the refusal names the job's."""
    it = bench(budgets=(budget("service"), budget("job", limit=CENT, each="job"), budget("key")))
    accounts = (Account("service"), Account("job", "acme"), Account("key"))

    refusal = it.refused(budgets=accounts, cost=2 * CENT)

    assert refusal.rule == "job"
    assert "job acme" in refusal.message
    assert [view(it, name).reserved for name in ("service", "key")] == [0, 0]


def test_budget_04_each_value_has_its_own(bench: Make) -> None:
    """When job A has spent its budget, job B is unaffected; a job that is done without cost leaves nothing."""
    it = bench(budgets=(budget(limit=10 * CENT, each="job"),))
    it.settle(it.admitted(budgets=(Account("b", "A"),), cost=10 * CENT), cost=10 * CENT)

    it.refused(budgets=(Account("b", "A"),), cost=CENT)
    it.settle(it.admitted(budgets=(Account("b", "B"),), cost=10 * CENT), cost=0)

    assert [one.value for one in it.state.budgets(it.now)] == ["A"]


def test_budget_05_unpriced_is_not_free(bench: Make) -> None:
    """A call without a price is counted as unpriced, and adds to no sum."""
    it = bench(budgets=(budget(),))

    it.settle(it.admitted(budgets=B, cost=None), cost=None)

    assert (view(it).unpriced, view(it).spent) == (1, 0)


def test_budget_06_warn_lets_pass_and_tells_each_crossing_once(bench: Make) -> None:
    """Calls pass beyond a watched limit; 75, 90 and 100 % are told once each."""
    it = bench(budgets=(budget(limit=10 * CENT, action="warn"),))
    told: list[float] = []
    for _ in range(14):
        events = it.settle(it.admitted(budgets=B, cost=CENT), cost=CENT)
        told += [event.threshold for event in events if isinstance(event, BudgetCrossed)]

    assert told == [0.75, 0.9, 1.0]
    assert view(it).spent == 14 * CENT


def test_budget_07_skip_says_so(bench: Make) -> None:
    """A budget with the action skip refuses with the reason skip."""
    it = bench(budgets=(budget(limit=CENT, action="skip"),))

    assert it.refused(budgets=B, cost=2 * CENT).reason == "skip"


def test_budget_08_a_degrading_budget_counts_only_final_refusals(bench: Make) -> None:
    """Where the caller will try a cheaper model the no is not a call turned away."""
    it = bench(budgets=(budget(limit=CENT, action="degrade", degrade_to="m"),))

    it.refused(budgets=B, cost=2 * CENT, can_degrade=True)
    assert view(it).refused == 0
    it.refused(budgets=B, cost=2 * CENT)

    assert view(it).refused == 1


def test_budget_09_a_month_ends_at_local_midnight(bench: Make) -> None:
    """In Vienna March 2026 ends at 22:00 UTC: what was spent before counts no more from then on."""
    it = bench(budgets=(budget(limit=CENT, period="month", timezone="Europe/Vienna"),), start=1_774_994_400.0 - 3600)
    it.settle(it.admitted(budgets=B, cost=CENT), cost=CENT)

    assert it.refused(budgets=B, cost=CENT).retry_after == 3600.0
    it.clock.advance(3599.999)
    it.refused(budgets=B, cost=CENT)
    it.clock.advance(0.001)

    it.admitted(budgets=B, cost=CENT)


def test_budget_09_a_call_over_midnight_counts_where_it_began(bench: Make) -> None:
    """A call that was reserved yesterday is settled in yesterday's budget."""
    it = bench(budgets=(budget(limit=CENT, period="day"),), start=86_400.0 * 20_000 - 1)
    call = it.admitted(budgets=B, cost=CENT)
    it.clock.advance(2)

    it.settle(call, cost=CENT)

    assert (view(it).spent, view(it).reserved) == (0, 0)


def test_budget_10_remembers_what_was_spent(bench: Make) -> None:
    """What the ledger remembers counts, and crossings that were told are not told again."""
    it = bench(budgets=(budget(limit=10 * CENT),))
    past = PastSpend(account=Account("b"), cost=8 * CENT, tokens=5, unpriced=2)

    it.state.restore(History(spend=(past,)), it.now)

    assert (view(it).spent, view(it).unpriced) == (8 * CENT, 2)
    it.refused(budgets=B, cost=3 * CENT)
    assert it.settle(it.admitted(budgets=B, cost=0), cost=0) == ()


def test_budget_11_unknown_usage_costs_what_the_caller_says(bench: Make) -> None:
    """An answer that was cut is settled at the cost that is given for it."""
    it = bench(budgets=(budget(),))

    it.settle(it.admitted(budgets=B, cost=16 * CENT), tokens=None, verdict="neutral", cost=3 * CENT)

    assert view(it).spent == 3 * CENT


def test_budget_12_more_than_was_reserved(bench: Make) -> None:
    """A call that grows holds more where there is room; where there is none it is told to stop, and nothing is held."""
    it = bench(budgets=(budget(limit=10 * CENT), budget("watch", limit=CENT, action="warn")))
    both = (Account("b"), Account("watch"))
    call = it.admitted(budgets=both, cost=4 * CENT)

    assert it.extend(call, cost=9 * CENT) is None
    assert [view(it, name).reserved for name in ("b", "watch")] == [9 * CENT, 9 * CENT]
    refusal = it.extend(call, cost=11 * CENT)

    assert refusal is not None
    assert refusal.rule == "b"
    assert [view(it, name).reserved for name in ("b", "watch")] == [9 * CENT, 9 * CENT]


def test_budget_14_expected_reserves_less(bench: Make) -> None:
    """A soft budget holds what is expected of a call, and says in its refusal that it is soft."""
    it = bench(budgets=(budget(limit=10 * CENT, reserve="expected"),))

    it.admitted(budgets=B, cost=9 * CENT, expected_cost=CENT)

    assert view(it).reserved == CENT
    assert "soft" in it.refused(budgets=B, cost=20 * CENT).message


def test_budget_17_a_lower_limit_holds_at_once(bench: Make) -> None:
    """A limit below what is spent refuses from now on, tells the crossings, and says exceeded."""
    it = bench(budgets=(budget(limit=100 * CENT),))
    it.settle(it.admitted(budgets=B, cost=50 * CENT), cost=50 * CENT)

    old, crossed = it.state.set_limit("b", 40 * CENT, it.now)

    assert old == 100 * CENT
    assert [event.threshold for event in crossed] == [0.75, 0.9, 1.0]
    assert "exceeded" in it.refused(budgets=B, cost=0).message
    assert it.state.set_limit("b", 100 * CENT, it.now) == (40 * CENT, ())
    it.admitted(budgets=B, cost=50 * CENT)


def test_budget_17_a_changed_limit_is_remembered(bench: Make) -> None:
    """A limit that was changed before the restart is in force after it."""
    it = bench(budgets=(budget(limit=100 * CENT),))

    it.state.restore(History(limits=(PastLimit(budget="b", limit=CENT),)), it.now)

    assert view(it).limit == CENT
    it.refused(budgets=B, cost=2 * CENT)


def test_budget_17_an_unknown_budget_is_an_error(bench: Make) -> None:
    """Changing a budget that is not configured raises KeyError."""
    it = bench(budgets=(budget(),))

    with pytest.raises(KeyError):
        it.state.set_limit("c", 1, it.now)


def test_budget_18_tokens_are_held_alike(bench: Make) -> None:
    """A budget of tokens holds the bound and counts what was used."""
    it = bench(budgets=(BudgetRule(name="b", unit="tokens", limit=1000),))
    call = it.admitted(budgets=B, tokens=900)
    it.refused(budgets=B, tokens=200)

    it.settle(call, tokens=300)

    assert view(it).spent == 300
    it.admitted(budgets=B, tokens=700)


def test_budget_19_rolling_budgets_free_what_is_old(bench: Make) -> None:
    """In a rolling hour what was spent is free again an hour later, and the refusal says when."""
    it = bench(budgets=(budget(limit=10 * CENT, period="1h", rolling_us=3600 * MICROS),))
    it.settle(it.admitted(budgets=B, cost=10 * CENT), cost=10 * CENT)
    it.clock.advance(1800)

    assert it.refused(budgets=B, cost=CENT).retry_after == 1800.0
    it.clock.advance(1800)

    it.admitted(budgets=B, cost=10 * CENT)


def test_budget_20_a_budget_that_nobody_knows_holds_nothing(bench: Make) -> None:
    """An account of a budget that is not configured (any more) is left out."""
    it = bench(budgets=(budget(),))

    it.settle(it.admitted(budgets=(Account("gone"), *B), cost=CENT), cost=CENT)

    assert [one.budget for one in it.state.budgets(it.now)] == ["b"]
