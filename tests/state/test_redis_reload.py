"""Other rules for processes that share their numbers."""

from __future__ import annotations

import pytest
from tests.state.conftest import CLOCK, NANO, Shared

from switchgear.calls import Refusal
from switchgear.errors import ConfigError
from switchgear.policies.breaker import BreakerRule
from switchgear.policies.budget import BudgetRule
from switchgear.state.base import Account, Admission, History, PastSpend
from switchgear.state.memory import ServiceRules
from switchgear.state.redis import RedisState

SERVICES = {"openai": ServiceRules(limits=(), breaker=BreakerRule(failure_threshold=2))}
B = BudgetRule(name="b", unit="usd", limit=NANO)
NEW = BudgetRule(name="new", unit="usd", limit=NANO)


def _reload(state: RedisState, *budgets: BudgetRule, history: History | None = None) -> None:
    state.reconfigure(SERVICES, budgets, history or History(), CLOCK.moment())


def test_each_process_holds_to_the_rules_that_it_was_told(shared: Shared) -> None:
    """A lower limit holds where it was read, at once; what is spent and held stays, whoever did it."""
    told, untold = shared.state(), shared.state()
    flying = shared.admitted(told)
    _reload(told, BudgetRule(name="b", unit="usd", limit=NANO // 10))
    assert isinstance(told.admit(shared.request(), CLOCK.moment()), Refusal)
    assert isinstance(untold.admit(shared.request(), CLOCK.moment()), Admission)
    shared.settle(told, flying)
    assert shared.money(untold) == (1, 10)


def test_a_new_budget_is_told_what_the_ledger_remembers_once(shared: Shared) -> None:
    """Two processes of one ledger bring the same budget: its past counts once."""
    one, two = shared.state(ledger="l"), shared.state(ledger="l")
    past = History(spend=(PastSpend(account=Account("new"), cost=NANO // 4, tokens=0, unpriced=0),))
    for state in (one, two):
        state.restore(History(), CLOCK.moment())
    for state in (one, two):
        _reload(state, B, NEW, history=past)
    spent = {view.budget: view.spent for view in two.budgets(CLOCK.moment())}
    assert spent == {"b": 0, "new": NANO // 4}


def test_a_call_settles_in_a_budget_that_is_gone(shared: Shared) -> None:
    """What it held there is given back, so that a budget that comes again does not hold it for ever."""
    state = shared.state()
    flying = shared.admitted(state)
    _reload(state)
    assert state.budgets(CLOCK.moment()) == ()
    shared.settle(state, flying)
    _reload(state, B)
    assert shared.money(state) == (1, 0)


def test_a_budget_does_not_become_another_under_its_name(shared: Shared) -> None:
    """Others read the same numbers as dollars: tokens are refused, and the old rules hold."""
    state = shared.state()
    with pytest.raises(ConfigError, match="give it another name"):
        _reload(state, BudgetRule(name="b", unit="tokens", limit=5))
    assert shared.money(state) == (0, 0)
