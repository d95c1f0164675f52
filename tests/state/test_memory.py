from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from switchgear.calls import NO_USAGE, Outcome, Refusal, Usage, Verdict
from switchgear.clock import MICROS, Moment
from switchgear.events import BreakerChanged, BudgetCrossed
from switchgear.policies.breaker import BreakerRule
from switchgear.policies.budget import BudgetRule
from switchgear.policies.limiter import LimitRule
from switchgear.state.accounts import Accounts, Hold
from switchgear.state.base import (
    Account,
    Admission,
    AdmissionRequest,
    History,
    PastBreaker,
    PastCalls,
    PastSpend,
    Waiting,
)
from switchgear.state.memory import MemoryState, ServiceRules
from switchgear.testing import ManualClock

USD = 1_000_000_000
RPM = LimitRule(name="requests_per_minute", unit="requests", limit=3, window_us=60 * MICROS)
IN_FLIGHT = LimitRule(name="concurrent", unit="calls", limit=1, window_us=0)


def _budget(name: str, limit: int, **settings: object) -> BudgetRule:
    return BudgetRule(**{"name": name, "unit": "usd", "limit": limit, **settings})  # type: ignore[arg-type]  # by name


def _state(*budgets: BudgetRule, limits: tuple[LimitRule, ...] = (), threshold: int = 2) -> MemoryState:
    rules = ServiceRules(limits=limits, breaker=BreakerRule(failure_threshold=threshold, recovery_us=30 * MICROS))
    return MemoryState(services={"openai": rules}, budgets=budgets, started=Moment(0, 0))


def _request(*budgets: str, cost: int | None = 0, tokens: int = 0, max_wait: float = 0.0) -> AdmissionRequest:
    return AdmissionRequest(
        service="openai",
        tokens=tokens,
        cost=cost,
        accounts=tuple(Account(name) for name in budgets),
        max_wait_us=round(max_wait * MICROS),
    )


def _outcome(verdict: Verdict = "success", tokens: int | None = 0) -> Outcome:
    usage = None if tokens is None else Usage(input_tokens=tokens)
    return Outcome(status="ok" if verdict == "success" else "failed", verdict=verdict, usage=usage)


def _admitted(answer: object) -> Admission:
    assert isinstance(answer, Admission)
    return answer


def _refusal(answer: object) -> Refusal:
    assert isinstance(answer, Refusal)
    return answer


@pytest.fixture
def clock() -> ManualClock:
    """Time that stands still."""
    return ManualClock(1_000_000.0)


@pytest.fixture
def fast_switching() -> Iterator[None]:
    """Threads that change places as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("fast_switching")
def test_budget_01_exactly_what_fits_is_admitted(clock: ManualClock) -> None:
    """Sixty-four threads on $0.50 at $0.16 a call: three go, and spent plus reserved never passes the limit."""
    live = _state(_budget("b", USD // 2))
    answers: list[object] = []
    ready = threading.Barrier(64)

    def call() -> None:
        ready.wait()
        answers.append(live.admit(_request("b", cost=160_000_000), clock.moment()))

    threads = [threading.Thread(target=call) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(isinstance(answer, Admission) for answer in answers) == 3
    view = live.budgets(clock.moment())[0]
    assert (view.spent, view.reserved, view.refused) == (0, 480_000_000, 61)


def test_budget_02_settling_twice_is_settling_once(clock: ManualClock) -> None:
    """The second settlement changes no number."""
    live = _state(_budget("b", 100))
    admission = _admitted(live.admit(_request("b", cost=60), clock.moment()))
    live.settle(admission, _outcome(), 20, clock.moment())
    assert live.settle(admission, _outcome(), 20, clock.moment()) == ()
    view = live.budgets(clock.moment())[0]
    assert (view.spent, view.reserved, view.remaining) == (20, 0, 80)


def test_budget_03_a_refusing_budget_leaves_nothing_held_in_others(clock: ManualClock) -> None:
    """All or nothing: the refusal names its budget with its numbers, and no other budget or limit is touched."""
    live = _state(_budget("service", 100), _budget("job", 10), _budget("key", 100), limits=(RPM,))
    answer = _refusal(live.admit(_request("service", "job", "key", cost=11), clock.moment()))
    assert (answer.reason, answer.rule, answer.limit, answer.used, answer.reserved) == ("budget", "job", 10, 0, 0)
    assert [view.reserved for view in live.budgets(clock.moment())] == [0, 0, 0]
    assert live.limits(clock.moment())[0].used == 0


def test_budget_04_each_value_has_its_own(clock: ManualClock) -> None:
    """One job's exhausted budget is no other job's."""
    live = _state(_budget("b", 10, each="job"))

    def ask(job: str) -> object:
        one = AdmissionRequest(service="openai", tokens=0, cost=10, accounts=(Account("b", job),), max_wait_us=0)
        return live.admit(one, clock.moment())

    _admitted(ask("a"))
    assert "job a" in _refusal(ask("a")).message
    _admitted(ask("b"))


def test_budget_06_warn_lets_pass_and_says_so_once(clock: ManualClock) -> None:
    """A budget that warns refuses nobody and reports each threshold once."""
    live = _state(_budget("b", 100, action="warn"))
    crossed: list[float] = []
    for _ in range(4):
        admission = _admitted(live.admit(_request("b", cost=50), clock.moment()))
        events = live.settle(admission, _outcome(), 50, clock.moment())
        crossed += [event.threshold for event in events if isinstance(event, BudgetCrossed)]
    assert crossed == [0.75, 0.9, 1.0]


def test_budget_07_skip_is_a_refusal_of_its_own(clock: ManualClock) -> None:
    """A budget that skips says ``skip``."""
    live = _state(_budget("b", 10, action="skip"))
    assert _refusal(live.admit(_request("b", cost=11), clock.moment())).reason == "skip"


def test_budget_18_tokens_are_counted_like_money(clock: ManualClock) -> None:
    """A budget of tokens reserves the bound and settles the usage."""
    live = _state(_budget("b", 100, unit="tokens"))
    admission = _admitted(live.admit(_request("b", tokens=80), clock.moment()))
    _refusal(live.admit(_request("b", tokens=30), clock.moment()))
    live.settle(admission, _outcome(tokens=10), None, clock.moment())
    _admitted(live.admit(_request("b", tokens=90), clock.moment()))


def test_a_budget_that_will_reset_says_when(clock: ManualClock) -> None:
    """Spent money comes back at the end of the period, reserved money when calls settle."""
    live = _state(_budget("b", 10, period="hour"))
    first = _admitted(live.admit(_request("b", cost=10), clock.moment()))
    assert _refusal(live.admit(_request("b", cost=10), clock.moment())).retry_at is None
    live.settle(first, _outcome(), 10, clock.moment())
    answer = _refusal(live.admit(_request("b", cost=10), clock.moment()))
    assert answer.retry_at == 1_000_800.0
    assert answer.retry_after == 800.0
    clock.advance(800)
    _admitted(live.admit(_request("b", cost=10), clock.moment()))
    assert live.budgets(clock.moment())[0].reserved == 10


def test_a_call_settles_in_the_period_it_began_in(clock: ManualClock) -> None:
    """A call that runs past the hour is charged to the hour that it was admitted in."""
    live = _state(_budget("b", 10, period="hour"))
    late = _admitted(live.admit(_request("b", cost=10), clock.moment()))
    clock.advance(900)
    _admitted(live.admit(_request("b", cost=10), clock.moment()))
    live.settle(late, _outcome(), 10, clock.moment())
    view = live.budgets(clock.moment())[0]
    assert (view.spent, view.reserved) == (0, 10)


def test_the_breaker_opens_probes_and_closes(clock: ManualClock) -> None:
    """Each change of state is one event, in order, with when the next probe may go."""
    live = _state()
    events: list[object] = []
    for _ in range(2):
        admission = _admitted(live.admit(_request(), clock.moment()))
        events += live.settle(admission, _outcome("failure"), 0, clock.moment())
    answer = _refusal(live.admit(_request(), clock.moment()))
    assert (answer.reason, answer.retry_after, answer.retry_at) == ("breaker", 30.0, 1_000_030.0)
    clock.advance(30)
    probe = _admitted(live.admit(_request(), clock.moment()))
    events += probe.events
    assert "trial" in _refusal(live.admit(_request(), clock.moment())).message
    events += live.settle(probe, _outcome(), 0, clock.moment())
    changes = [(event.old, event.new) for event in events if isinstance(event, BreakerChanged)]
    assert changes == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]
    assert live.breakers(clock.moment())[0].state == "closed"


def test_an_open_breaker_holds_no_limit_units(clock: ManualClock) -> None:
    """What the breaker turns away is not charged to the limits."""
    live = _state(limits=(RPM,), threshold=1)
    admission = _admitted(live.admit(_request(), clock.moment()))
    live.settle(admission, _outcome("failure"), 0, clock.moment())
    for _ in range(10):
        assert _refusal(live.admit(_request(), clock.moment())).reason == "breaker"
    assert live.limits(clock.moment())[0].used == 1


def test_reading_the_breaker_shows_half_open_in_time(clock: ManualClock) -> None:
    """A view is computed at the time of reading, and *poll* reports the change once."""
    live = _state(threshold=1)
    admission = _admitted(live.admit(_request(), clock.moment()))
    live.settle(admission, _outcome("failure"), 0, clock.moment())
    assert live.breakers(clock.moment())[0].next_probe_at == 1_000_030 * MICROS
    clock.advance(30)
    assert live.breakers(clock.moment())[0].state == "half_open"
    assert len(live.poll(clock.moment())) == 1
    assert live.poll(clock.moment()) == ()


def test_waiting_is_a_slot_that_breaker_and_budget_are_asked_after_again(clock: ManualClock) -> None:
    """A budget used up during the wait refuses at its end, and the slot is given back."""
    live = _state(_budget("b", 10), limits=(RPM,))
    for _ in range(3):
        _admitted(live.admit(_request(), clock.moment()))
    waiting = live.admit(_request("b", cost=10, max_wait=120), clock.moment())
    assert isinstance(waiting, Waiting)
    assert waiting.rule == "requests_per_minute"
    assert waiting.go_at == clock.moment().mono + 60 * MICROS
    assert live.limits(clock.moment())[0].waiting == 1

    clock.advance(60)
    thief = _admitted(live.admit(_request("b", cost=10), clock.moment()))
    answer = _refusal(live.admit(_request("b", cost=10, max_wait=60), clock.moment(), waiting.slot))
    assert answer.reason == "budget"
    assert live.limits(clock.moment())[0].waiting == 0
    live.cancel(thief, clock.moment())
    assert live.limits(clock.moment())[0].used == 0


def test_nobody_waits_for_what_is_refused_anyway(clock: ManualClock) -> None:
    """A call without budget is refused at once instead of being queued first."""
    live = _state(_budget("b", 10), limits=(RPM,))
    for _ in range(3):
        _admitted(live.admit(_request(), clock.moment()))
    assert _refusal(live.admit(_request("b", cost=11, max_wait=120), clock.moment())).reason == "budget"
    assert live.limits(clock.moment())[0].waiting == 0


def test_a_waiter_is_woken_when_its_place_comes_free(clock: ManualClock) -> None:
    """Settling a call wakes the next in line, outside the lock."""
    live = _state(limits=(IN_FLIGHT,))
    first = _admitted(live.admit(_request(), clock.moment()))
    seen: list[int] = []
    one = AdmissionRequest(
        service="openai",
        tokens=0,
        cost=0,
        accounts=(),
        max_wait_us=60 * MICROS,
        waker=lambda: seen.append(live.limits(clock.moment())[0].waiting),  # would deadlock under the lock
    )
    waiting = live.admit(one, clock.moment())
    assert isinstance(waiting, Waiting)
    live.settle(first, _outcome(), 0, clock.moment())
    assert seen == [1]
    _admitted(live.admit(one, clock.moment(), waiting.slot))


def test_a_withdrawn_waiter_leaves_the_queue(clock: ManualClock) -> None:
    """Giving a place back twice is giving it back once."""
    live = _state(limits=(IN_FLIGHT,))
    _admitted(live.admit(_request(), clock.moment()))
    waiting = live.admit(_request(max_wait=60), clock.moment())
    assert isinstance(waiting, Waiting)
    live.withdraw(waiting.slot, clock.moment())
    live.withdraw(waiting.slot, clock.moment())
    assert live.limits(clock.moment())[0].waiting == 0


def test_a_cancelled_admission_gives_everything_back(clock: ManualClock) -> None:
    """Limit, breaker probe and budgets are as if the call had never been asked for; twice is once."""
    live = _state(_budget("b", 10), limits=(RPM,))
    admission = _admitted(live.admit(_request("b", cost=10), clock.moment()))
    live.cancel(admission, clock.moment())
    live.cancel(admission, clock.moment())
    assert live.settle(admission, _outcome(), 10, clock.moment()) == ()
    assert live.budgets(clock.moment())[0].reserved == 0
    assert live.limits(clock.moment())[0].used == 0


def test_unknown_usage_counts_as_reserved(clock: ManualClock) -> None:
    """When nobody knows what was used, the whole reservation of tokens stands."""
    tokens = LimitRule(name="tokens_per_minute", unit="tokens", limit=100, window_us=60 * MICROS)
    live = _state(limits=(tokens,))
    admission = _admitted(live.admit(_request(tokens=70), clock.moment()))
    live.settle(admission, _outcome(tokens=None), None, clock.moment())
    assert live.limits(clock.moment())[0].used == 70


def test_a_new_state_takes_over_what_is_remembered(clock: ManualClock) -> None:
    """Windows, budgets and an open breaker survive a restart; crossed thresholds are not repeated."""
    live = _state(_budget("b", 100), limits=(RPM,))
    wall = clock.moment().wall
    live.restore(
        History(
            calls=(PastCalls(service="openai", at=wall - 10 * MICROS, requests=2, tokens=50),),
            spend=(PastSpend(account=Account("b"), cost=80, tokens=50, unpriced=1),),
            breakers=(
                PastBreaker(
                    service="openai",
                    state="open",
                    at=wall - MICROS,
                    until=wall + 5 * MICROS,
                    opened_times=3,
                    reason="5 failures in a row (threshold 5)",
                ),
            ),
        ),
        clock.moment(),
    )
    assert live.limits(clock.moment())[0].used == 2
    view = live.budgets(clock.moment())[0]
    assert (view.spent, view.unpriced) == (80, 1)
    assert _refusal(live.admit(_request(), clock.moment())).retry_after == 5.0
    clock.advance(5)
    probe = _admitted(live.admit(_request("b", cost=5), clock.moment()))
    crossings = [one for one in live.settle(probe, _outcome(), 5, clock.moment()) if isinstance(one, BudgetCrossed)]
    assert crossings == []


def test_history_of_what_is_configured_no_more_is_ignored(clock: ManualClock) -> None:
    """A service or budget that left the configuration does not come back from the ledger."""
    live = _state()
    live.restore(
        History(
            calls=(PastCalls(service="gone", at=0, requests=1, tokens=1),),
            spend=(PastSpend(account=Account("gone"), cost=1, tokens=1, unpriced=0),),
            breakers=(PastBreaker(service="gone", state="open", at=0, until=None, opened_times=1, reason="x"),),
        ),
        clock.moment(),
    )
    assert live.budgets(clock.moment()) == ()
    _admitted(live.admit(_request("gone"), clock.moment()))


def test_a_failed_call_that_used_nothing_frees_its_tokens(clock: ManualClock) -> None:
    """A call that never got through gives its tokens back at settlement, not its request."""
    tokens = LimitRule(name="tokens_per_minute", unit="tokens", limit=100, window_us=60 * MICROS)
    live = _state(limits=(tokens, RPM))
    admission = _admitted(live.admit(_request(tokens=70), clock.moment()))
    live.settle(admission, Outcome(status="failed", verdict="failure", usage=NO_USAGE), 0, clock.moment())
    assert {view.rule: view.used for view in live.limits(clock.moment())} == {
        "requests_per_minute": 1,
        "tokens_per_minute": 0,
    }


def test_what_a_finalizer_gives_back_in_the_middle_of_a_verb_waits_for_its_end(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The garbage collector may settle, cancel or withdraw anywhere: that neither deadlocks nor is lost."""
    live = _state(_budget("b", 100))
    first = _admitted(live.admit(_request("b", cost=10), clock.moment()))
    second = _admitted(live.admit(_request("b", cost=10), clock.moment()))
    room = Accounts.room

    def collecting(accounts: Accounts, one: AdmissionRequest, now: Moment) -> list[Hold] | Refusal:
        assert live.settle(first, _outcome(), 4, clock.moment()) == ()
        live.cancel(second, clock.moment())
        live.withdraw(99, clock.moment())
        return room(accounts, one, now)

    monkeypatch.setattr(Accounts, "room", collecting)
    _admitted(live.admit(_request("b", cost=10), clock.moment()))
    view = live.budgets(clock.moment())[0]
    assert (view.spent, view.reserved) == (4, 10)


def _in_line(live: MemoryState, clock: ManualClock, woken: list[str], name: str, *budgets: str) -> AdmissionRequest:
    """Return a request whose caller notes *name* when it is woken."""
    return AdmissionRequest(
        service="openai",
        tokens=0,
        cost=10,
        accounts=tuple(Account(budget) for budget in budgets),
        max_wait_us=60 * MICROS,
        waker=lambda: woken.append(name),
    )


def test_who_is_refused_at_its_turn_lets_the_next_one_go(clock: ManualClock) -> None:
    """A place that is given back inside an admission is passed on, and its waiter woken."""
    live = _state(_budget("b", 10), limits=(IN_FLIGHT,))
    woken: list[str] = []
    holder = _admitted(live.admit(_request(), clock.moment()))
    first, second = _in_line(live, clock, woken, "first", "b"), _in_line(live, clock, woken, "second")
    place = live.admit(first, clock.moment())
    assert isinstance(place, Waiting)
    assert isinstance(live.admit(second, clock.moment()), Waiting)
    live.set_limit("b", 5, clock.moment())
    live.settle(holder, _outcome(), 0, clock.moment())
    assert _refusal(live.admit(first, clock.moment(), place.slot)).rule == "b"
    assert woken == ["first", "second"]


def test_who_leaves_the_line_lets_the_next_one_go(clock: ManualClock) -> None:
    """Withdrawing a place that has come free wakes the one behind."""
    live = _state(limits=(IN_FLIGHT,))
    woken: list[str] = []
    holder = _admitted(live.admit(_request(), clock.moment()))
    places = [live.admit(_in_line(live, clock, woken, name), clock.moment()) for name in ("first", "second")]
    live.settle(holder, _outcome(), 0, clock.moment())
    assert isinstance(places[0], Waiting)
    live.withdraw(places[0].slot, clock.moment())
    assert woken == ["first", "second"]


def test_a_place_that_is_unknown_is_asked_for_anew(clock: ManualClock) -> None:
    """Who comes with a place of nowhere is treated as a newcomer."""
    live = _state(limits=(IN_FLIGHT,))
    _admitted(live.admit(_request(), clock.moment(), 999))


class _Contended:
    """A lock that another thread holds at the first try."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tries = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        self.tries += 1
        return self.tries % 2 == 0 and self.lock.acquire(blocking=blocking)

    def release(self) -> None:
        self.lock.release()


def test_every_verb_waits_for_a_lock_that_is_taken(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verb that finds the lock taken tries again, and does its work."""
    live = _state(_budget("b", 100))
    contended = _Contended()
    monkeypatch.setattr(live, "_lock", contended)
    admission = _admitted(live.admit(_request("b", cost=10), clock.moment()))
    live.settle(admission, _outcome(), 4, clock.moment())
    assert live.budgets(clock.moment())[0].spent == 4
    assert contended.tries == 6
