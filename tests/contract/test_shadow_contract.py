"""Shadow rules, on every backend: they count what enforcement would show, and decide nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from switchgear.clock import MICROS
from switchgear.events import BudgetCrossed, ShadowExceeded
from switchgear.policies.breaker import BreakerRule
from switchgear.policies.budget import BudgetRule
from switchgear.policies.limiter import LimitRule
from switchgear.state.base import Account, Admission, LimitView
from switchgear.state.memory import ServiceRules

if TYPE_CHECKING:
    from tests.contract.conftest import Bench

MINUTE = 60 * MICROS
TWO = LimitRule(name="requests_per_minute", unit="requests", limit=2, window_us=MINUTE)
MANY = LimitRule(name="requests_per_minute", unit="requests", limit=100, window_us=MINUTE)
ONE_AT_A_TIME = LimitRule(name="concurrent", unit="calls", limit=1, window_us=0)
TOKENS = LimitRule(name="tokens_per_minute", unit="tokens", limit=100, window_us=MINUTE)
SHADE = BudgetRule(name="shade", unit="usd", limit=10, shadow=True)

Make = Callable[..., "Bench"]


def _rules(*shadow: LimitRule, limits: tuple[LimitRule, ...] = (MANY,)) -> dict[str, ServiceRules]:
    return {"openai": ServiceRules(limits=limits, breaker=BreakerRule(), shadow=shadow)}


def _shadow(bench: Bench, rule: str = TWO.name) -> LimitView:
    return next(view for view in bench.state.limits(bench.now) if view.shadow and view.rule == rule)


def test_a_shadow_limit_lets_everything_go_and_counts_what_it_would_refuse(bench: Make) -> None:
    """Calls beyond it go, are counted as refused, and take nothing of it."""
    here = bench(services=_rules(TWO))
    events = [event for _ in range(12) for event in here.admitted().events]
    view = _shadow(here)
    assert (view.used, view.would_refuse, view.would_wait) == (2, 10, 0)
    assert [(event.verdict, event.count) for event in events if isinstance(event, ShadowExceeded)] == [
        ("refuse", 1),
        ("refuse", 10),
    ]
    assert here.used(MANY.name) == 12


def test_a_call_with_patience_would_have_waited(bench: Make) -> None:
    """Within its patience a call is counted as one that waits, beyond as one that is refused."""
    here = bench(services=_rules(TWO))
    here.admitted()
    here.admitted()
    here.clock.advance(10)
    here.admitted(max_wait=49.0)
    here.admitted(max_wait=51.0)
    view = _shadow(here)
    assert (view.would_wait, view.would_refuse) == (1, 1)


def test_only_calls_that_go_are_asked_of_the_shadow(bench: Make) -> None:
    """What a real rule turns away is nothing that the shadow would have changed."""
    here = bench(services=_rules(TWO, limits=(TOKENS,)))
    here.refused(tokens=101)
    here.admitted(tokens=100)
    here.refused(tokens=1)
    view = _shadow(here)
    assert (view.used, view.would_refuse) == (1, 0)


def test_a_shadow_limit_is_settled_and_cancelled_as_a_real_one(bench: Make) -> None:
    """Tokens are corrected, places in flight come back, cancelled calls have taken nothing."""
    here = bench(services=_rules(TOKENS, ONE_AT_A_TIME))
    first = here.admitted(tokens=90)
    here.admitted(tokens=5)
    assert (_shadow(here, "concurrent").used, _shadow(here, "concurrent").would_refuse) == (1, 1)
    here.settle(first, tokens=20)
    assert (_shadow(here, "concurrent").used, _shadow(here, TOKENS.name).used) == (0, 20)
    here.cancel(here.admitted(tokens=50))
    assert (_shadow(here, "concurrent").used, _shadow(here, TOKENS.name).used) == (0, 20)


def test_a_shadow_budget_holds_nothing_of_what_it_would_refuse(bench: Make) -> None:
    """Its numbers are those of a world in which it is enforced; the call goes all the same."""
    here = bench(services=_rules(), budgets=(SHADE,))
    asked: tuple[Account, ...] = (Account("shade"),)
    here.settle(here.admitted(cost=8, budgets=asked), cost=8)
    turned = here.admitted(cost=3, budgets=asked)
    assert [type(event) for event in turned.events] == [ShadowExceeded]
    view = here.state.budgets(here.now)[0]
    assert (view.shadow, view.spent, view.reserved, view.refused) == (True, 8, 0, 1)
    here.settle(turned, cost=3)
    here.settle(here.admitted(cost=2, budgets=asked), cost=2)
    assert here.state.budgets(here.now)[0].spent == 10


def test_a_real_budget_behind_a_shadow_one_decides_alone(bench: Make) -> None:
    """A call that a real budget refuses is not counted by the shadow budget before it."""
    real = BudgetRule(name="real", unit="usd", limit=2)
    here = bench(services=_rules(), budgets=(SHADE, real))
    refusal = here.refused(cost=11, budgets=(Account("shade"), Account("real")))
    assert refusal.rule == "real"
    assert {view.budget: view.refused for view in here.state.budgets(here.now)} == {"shade": 0, "real": 1}


def test_the_thresholds_of_a_shadow_budget_are_told_as_such(bench: Make) -> None:
    """Nobody takes its crossing for that of a limit in force."""
    here = bench(services=_rules(), budgets=(SHADE,))
    events = here.settle(here.admitted(cost=8, budgets=(Account("shade"),)), cost=8)
    assert [(event.budget, event.shadow) for event in events if isinstance(event, BudgetCrossed)] == [("shade", True)]


def test_a_stream_is_never_stopped_by_a_shadow(bench: Make) -> None:
    """A call that passes its reservation goes on."""
    here = bench(services=_rules(), budgets=(SHADE,))
    call = here.admitted(cost=8, budgets=(Account("shade"),))
    assert here.extend(call, cost=50) is None


def test_explain_shows_the_shadow_and_its_verdict_without_letting_it_decide(bench: Make) -> None:
    """The row of a full shadow limit does not fit, and the call would pass."""
    here = bench(services=_rules(TWO), budgets=(BudgetRule(name="shade", unit="usd", limit=1, shadow=True),))
    here.admitted()
    here.admitted()
    told = here.explain(cost=5, budgets=(Account("shade"),))
    assert (told.verdict, told.rule) == ("pass", None)
    assert [(one.view.shadow, one.fits) for one in told.limits] == [(False, True), (True, False)]
    assert told.budgets[0].refusal is not None
    assert isinstance(here.admit(cost=5, budgets=(Account("shade"),)), Admission)


def test_a_service_without_shadow_limits_has_none_to_show(bench: Make) -> None:
    """Nothing is shown that is not configured."""
    here = bench(services=_rules())
    assert not any(view.shadow for view in here.state.limits(here.now))
