from __future__ import annotations

import pytest

from switchgear.calls import Outcome, Refusal, Usage
from switchgear.clock import Moment
from switchgear.events import BudgetCrossed
from switchgear.policies.breaker import BreakerRule
from switchgear.policies.budget import BudgetRule
from switchgear.state.base import Account, Admission, AdmissionRequest, BudgetView, History, PastLimit, PastSpend
from switchgear.state.memory import MemoryState, ServiceRules

NOW = Moment(5_000_000, 1_800_000_000_000_000)
DONE = Outcome(status="ok", verdict="success", usage=Usage(output_tokens=10))


def _budget(name: str = "b", **settings: object) -> BudgetRule:
    return BudgetRule(**{"name": name, "unit": "usd", "limit": 100, **settings})  # type: ignore[arg-type]  # by name


def _state(*budgets: BudgetRule) -> MemoryState:
    rules = ServiceRules(
        limits=(),
        breaker=BreakerRule(failure_threshold=5, recovery_us=1, failure_rate=0.5, minimum_calls=10, window_us=1),
    )
    return MemoryState(services={"llm": rules}, budgets=budgets, started=NOW)


def _ask(live: MemoryState, *accounts: Account, cost: int | None = 0, **more: object) -> Admission | Refusal:
    fields = {"service": "llm", "tokens": 0, "cost": cost, "accounts": accounts, "max_wait_us": 0, **more}
    answer = live.admit(AdmissionRequest(**fields), NOW)  # type: ignore[arg-type]  # by name
    assert isinstance(answer, Admission | Refusal)
    return answer


def _admitted(live: MemoryState, *accounts: Account, **more: object) -> Admission:
    answer = _ask(live, *accounts, **more)  # type: ignore[arg-type]  # by name
    assert isinstance(answer, Admission)
    return answer


def _view(live: MemoryState, budget: str = "b", value: str | None = None) -> BudgetView:
    return next(view for view in live.budgets(NOW) if (view.budget, view.value) == (budget, value))


B = Account("b")


@pytest.mark.parametrize(
    ("unit", "reserve", "held"),
    [("usd", "worst_case", 80), ("usd", "expected", 30), ("tokens", "worst_case", 70), ("tokens", "expected", 20)],
)
def test_a_budget_holds_what_its_rule_reserves(unit: str, reserve: str, held: int) -> None:
    """The worst case, or what is expected, in the budget's unit; the view says which."""
    live = _state(_budget(unit=unit, reserve=reserve))
    _admitted(live, B, cost=80, tokens=70, expected_cost=30, expected_tokens=20)
    assert (_view(live).reserved, _view(live).reserve) == (held, reserve)


@pytest.mark.parametrize(("unit", "held"), [("usd", 80), ("tokens", 70)])
def test_what_is_not_known_is_the_worst_case(unit: str, held: int) -> None:
    """Without an expectation a soft budget holds as much as a hard one."""
    live = _state(_budget(unit=unit, reserve="expected"))
    _admitted(live, B, cost=80, tokens=70)
    assert _view(live).reserved == held


def test_budget_05_an_unpriced_call_holds_no_money() -> None:
    """Its cost is unknown, before and after; it is counted as unpriced."""
    live = _state(_budget())
    live.settle(_admitted(live, B, cost=None), DONE, None, NOW)
    assert (_view(live).spent, _view(live).reserved, _view(live).unpriced) == (0, 0, 1)


def test_budget_08_a_no_that_leads_to_a_cheaper_model_is_no_call_turned_away() -> None:
    """It is counted when the caller has nothing cheaper, or where the budget does not degrade."""
    live = _state(_budget(action="degrade", degrade_to="m"), _budget("hard"))
    assert isinstance(_ask(live, B, cost=101, can_degrade=True), Refusal)
    assert _view(live).refused == 0
    assert isinstance(_ask(live, B, cost=101), Refusal)
    assert isinstance(_ask(live, Account("hard"), cost=101, can_degrade=True), Refusal)
    assert (_view(live).refused, _view(live, "hard").refused) == (1, 1)


def test_budget_03_the_first_refusing_budget_is_named_and_nothing_is_held_in_the_others() -> None:
    """Those before it and those after it are as they were."""
    live = _state(_budget("one"), _budget("two", limit=10), _budget("three"))
    answer = _ask(live, Account("one"), Account("two"), Account("three"), cost=50)
    assert isinstance(answer, Refusal)
    assert answer.rule == "two"
    assert [(view.reserved, view.refused) for view in live.budgets(NOW)] == [(0, 0), (0, 0), (0, 1)]


def test_budget_12_a_call_that_grows_holds_more_in_every_budget_or_in_none() -> None:
    """The refusal names the budget without room; a soft and a watching one never object."""
    live = _state(
        _budget("money"),
        _budget("tokens", unit="tokens", limit=1000),
        _budget("soft", reserve="expected", limit=20),
        _budget("watched", action="warn", limit=1),
    )
    accounts = [Account(name) for name in ("money", "tokens", "soft", "watched")]
    admission = _admitted(live, *accounts, cost=20, tokens=200)
    assert live.extend(admission, 60, 600, NOW) is None
    assert live.extend(admission, 50, 500, NOW) is None
    held = {view.budget: view.reserved for view in live.budgets(NOW)}
    assert held == {"money": 60, "soft": 20, "tokens": 600, "watched": 60}
    refusal = live.extend(admission, 90, 1001, NOW)
    assert refusal is not None
    assert (refusal.rule, refusal.service, refusal.needed, refusal.reserved) == ("tokens", "llm", 401, 600)
    assert {view.budget: view.reserved for view in live.budgets(NOW)} == held
    live.settle(admission, DONE, 55, NOW)
    assert live.extend(admission, 10**9, 10**9, NOW) is None
    assert {view.reserved for view in live.budgets(NOW)} == {0}


def test_budget_12_an_unpriced_call_that_grows_is_asked_for_no_money() -> None:
    """What has no price holds none."""
    live = _state(_budget())
    assert live.extend(_admitted(live, B, cost=None), None, 10**6, NOW) is None
    assert _view(live).reserved == 0


def test_budget_17_a_limit_is_changed_for_every_value() -> None:
    """The old limit comes back, with the thresholds that each value is above now."""
    live = _state(_budget(each="job"))
    for job, cost in (("a", 50), ("b", 10)):
        live.settle(_admitted(live, Account("b", job), cost=cost), DONE, cost, NOW)
    old, events = live.set_limit("b", 55, NOW)
    assert old == 100
    assert events == (
        BudgetCrossed(budget="b", value="a", threshold=0.75, used=50, limit=55, unit="usd", at=NOW.wall),
        BudgetCrossed(budget="b", value="a", threshold=0.9, used=50, limit=55, unit="usd", at=NOW.wall),
    )
    assert isinstance(_ask(live, Account("b", "a"), cost=6), Refusal)
    assert live.set_limit("b", 200, NOW) == (55, ())
    _admitted(live, Account("b", "a"), cost=150)
    with pytest.raises(KeyError):
        live.set_limit("nobody", 5, NOW)


def test_budget_17_a_remembered_limit_is_in_force_before_what_was_spent() -> None:
    """Thresholds that were passed under it are not told again; limits of budgets that are gone are left out."""
    live = _state(_budget())
    live.restore(
        History(
            limits=(PastLimit(budget="b", limit=50), PastLimit(budget="gone", limit=5)),
            spend=(PastSpend(account=B, cost=48, tokens=0, unpriced=0),),
        ),
        NOW,
    )
    assert (_view(live).limit, _view(live).spent) == (50, 48)
    events = live.settle(_admitted(live, B, cost=2), DONE, 2, NOW)
    assert [event.threshold for event in events if isinstance(event, BudgetCrossed)] == [1.0]


def test_budget_04_who_only_waits_or_is_cancelled_leaves_nothing() -> None:
    """A value that nothing was spent for is no longer there."""
    live = _state(_budget(each="job"))
    admission = _admitted(live, Account("b", "a"), cost=10)
    assert [view.value for view in live.budgets(NOW)] == ["a"]
    live.cancel(admission, NOW)
    assert live.budgets(NOW) == ()


def test_an_account_of_no_budget_is_ignored() -> None:
    """A budget that left the configuration holds nobody up."""
    _admitted(_state(), Account("gone"), cost=10**12)
