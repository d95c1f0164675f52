from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import switchgear as sg
from switchgear.calls import NO_USAGE, Attribution, Call, Outcome, Usage, new_call_id
from switchgear.clients.governor import Governor
from switchgear.errors import LedgerError
from switchgear.events import BreakerChanged, CallRefused, CallSettled, Event
from switchgear.governor.gate import Admitted
from switchgear.ledger.views import CallFilter, CallRow
from switchgear.testing import ManualClock

DONE = Outcome(status="ok", verdict="success", usage=Usage(input_tokens=10, output_tokens=5), http_status=200)
FAILED = Outcome(status="failed", verdict="failure", usage=NO_USAGE, http_status=503, error="HTTP 503")


def _call(gov: Governor, service: str = "llm", model: str | None = "m", job: str | None = None, **more: object) -> Call:
    settings = {"bound": Usage(input_tokens=100, output_tokens=100), "attribution": Attribution(job=job), **more}
    return Call(
        id=new_call_id(gov.clock.moment().wall),
        service=service,
        endpoint="/v1/chat/completions",
        model=model,
        **settings,  # type: ignore[arg-type]  # by name
    )


def _rows(gov: Governor) -> tuple[CallRow, ...]:
    return gov.ledger.reader.calls(CallFilter(), limit=500).items


def test_an_admitted_call_is_in_the_ledger_before_it_leaves(governor: Governor) -> None:
    """When *admit* returns, the reservation at its worst case can be read from the ledger."""
    admitted = governor.admit(_call(governor))
    (row,) = _rows(governor)
    assert (row.status, row.reserved, row.cost) == ("reserved", 300_000, None)
    governor.settle(admitted, DONE)


def test_a_settled_call_is_in_the_ledger_before_its_answer(governor: Governor) -> None:
    """When *settle* returns, usage, cost and price version are on record."""
    settlement = governor.settle(governor.admit(_call(governor)), DONE)
    (row,) = _rows(governor)
    assert settlement.cost == row.cost == 20_000
    assert (row.status, row.input_tokens, row.output_tokens, row.http_status) == ("ok", 10, 5, 200)
    assert row.price_version is not None
    assert not row.estimated


def test_settling_twice_counts_once(governor: Governor) -> None:
    """A second settlement changes neither the ledger's sums nor the budget."""
    admitted = governor.admit(_call(governor, job="small"))
    governor.settle(admitted, DONE)
    governor.settle(admitted, DONE)
    assert governor.ledger.reader.totals()[0].calls == 1
    assert governor.state.budgets(governor.clock.moment())[1].spent == 20_000


def test_a_refusal_is_on_record_with_its_rule(governor: Governor) -> None:
    """A refused call is a row that names what refused it, and costs nothing."""
    too_much = _call(governor, job="small", bound=Usage(input_tokens=2000, output_tokens=1000))
    with pytest.raises(sg.BudgetExceeded) as caught:
        governor.admit(too_much)
    (row,) = _rows(governor)
    assert (row.status, row.refused_by, row.cost) == ("refused", "budget", 0)
    assert caught.value.budget == "small"
    assert str(caught.value.limit) == "0.003"
    assert governor.ledger.reader.totals()[0].cost == 0


def test_budget_05_an_unknown_model_is_refused(governor: Governor) -> None:
    """A model without a price is no free model."""
    with pytest.raises(sg.Unpriced, match="no price is known for model 'unknown-model'"):
        governor.admit(_call(governor, model="unknown-model"))
    assert _rows(governor)[0].refused_by == "unpriced"


def test_budget_05_an_allowed_unpriced_call_has_no_cost(governor: Governor) -> None:
    """Where unpriced calls are allowed their cost is unknown, not zero, and they are counted."""
    settlement = governor.settle(governor.admit(_call(governor, "free", model=None)), DONE)
    assert settlement.cost is None
    assert _rows(governor)[0].cost is None
    assert governor.ledger.reader.totals()[0].unpriced == 1


def test_what_no_provider_bills_costs_nothing(governor: Governor) -> None:
    """Listing models is free and needs no price."""
    settlement = governor.settle(governor.admit(_call(governor, model=None, billable=False)), DONE)
    assert settlement.cost == 0


def test_unknown_usage_is_charged_at_the_reservation_and_marked(governor: Governor) -> None:
    """If nobody knows what was used, the worst case stands, as an estimate."""
    settlement = governor.settle(
        governor.admit(_call(governor)), Outcome(status="failed", verdict="failure", usage=None, error="ReadTimeout")
    )
    (row,) = _rows(governor)
    assert (settlement.cost, settlement.estimated) == (300_000, True)
    assert (row.cost, row.estimated, row.input_tokens) == (300_000, True, 100)


def test_a_call_that_failed_before_anything_was_delivered_costs_nothing(governor: Governor) -> None:
    """Not even the price of a request."""
    settlement = governor.settle(governor.admit(_call(governor, "pages", model=None, bound=NO_USAGE)), FAILED)
    assert settlement.cost == 0


def test_the_model_that_was_billed_sets_the_price(governor: Governor) -> None:
    """If the provider names a model with a price of its own, that one counts."""
    outcome = Outcome(
        status="ok", verdict="success", usage=Usage(input_tokens=1_000_000), model="gpt-4o-mini-2024-07-18"
    )
    settlement = governor.settle(governor.admit(_call(governor)), outcome)
    assert settlement.cost == 150_000_000


def test_waiting_takes_the_time_it_says(governor: Governor, clock: ManualClock) -> None:
    """The hundred and first call of a minute waits for the window, and the wait is on record."""
    start = clock.monotonic()
    for _ in range(101):
        governor.settle(governor.admit(_call(governor)), DONE)
    assert clock.monotonic() - start == 60.0
    assert _rows(governor)[0].waited_us == 60_000_000


async def test_waiting_takes_the_time_it_says_for_tasks_too(governor: Governor, clock: ManualClock) -> None:
    """The asynchronous way in waits by the same rule."""
    for _ in range(101):
        await governor.asettle(await governor.aadmit(_call(governor)), DONE)
    assert _rows(governor)[0].waited_us == 60_000_000


def test_a_wait_that_is_not_wanted_is_refused_with_its_eta(governor: Governor) -> None:
    """With no patience the refusal says when there is room."""
    for _ in range(100):
        governor.settle(governor.admit(_call(governor)), DONE)
    with pytest.raises(sg.RateLimited) as caught:
        governor.admit(_call(governor), max_wait_us=0)
    assert (caught.value.retry_after, caught.value.limit, caught.value.used) == (60.0, 100, 100)
    assert caught.value.rule == "requests_per_minute"


async def test_a_cancelled_waiter_leaves_nothing_behind(governor: Governor) -> None:
    """Who is cancelled in the queue gives the place back, and no row says it went out."""
    held = [await governor.aadmit(_call(governor, "pages", model=None)) for _ in range(2)]
    parked = asyncio.Event()

    class Parked(ManualClock):
        async def asleep(self, seconds: float, wake: asyncio.Event | None = None) -> None:
            parked.set()
            await asyncio.Event().wait()

    object.__setattr__(governor, "clock", Parked(governor.clock.now()))
    waiter = asyncio.create_task(governor.aadmit(_call(governor, "pages", model=None)))
    await parked.wait()
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    view = next(one for one in governor.state.limits(governor.clock.moment()) if one.service == "pages")
    assert (view.used, view.waiting) == (2, 0)
    for admitted in held:
        await governor.asettle(admitted, DONE)
    assert len(_rows(governor)) == 2


def test_what_happens_is_told_in_order(governor: Governor) -> None:
    """Listeners hear of calls and breakers after the fact, and one that fails harms nobody."""
    seen: list[Event] = []
    governor.bus.subscribe(seen.append)

    def broken(event: Event) -> None:
        msg = "a listener's own trouble"
        raise RuntimeError(msg)

    unsubscribe = governor.bus.subscribe(broken)
    for _ in range(2):
        governor.settle(governor.admit(_call(governor)), FAILED)
    unsubscribe()
    with pytest.raises(sg.BreakerOpen):
        governor.admit(_call(governor))
    kinds = [type(event) for event in seen]
    assert kinds == [CallSettled, BreakerChanged, CallSettled, CallRefused]
    assert governor.ledger.reader.events()[0].kind == "breaker_changed"


def test_an_open_breaker_goes_half_open_by_itself(governor: Governor, clock: ManualClock) -> None:
    """A tick after its time is enough, without any call."""
    for _ in range(2):
        governor.settle(governor.admit(_call(governor)), FAILED)
    seen: list[Event] = []
    governor.bus.subscribe(seen.append)
    governor.tick()
    clock.advance(30)
    governor.tick()
    governor.tick()
    assert [event.new for event in seen if isinstance(event, BreakerChanged)] == ["half_open"]


def test_budget_10_a_restart_forgets_nothing(open_governor: Callable[[], Governor], clock: ManualClock) -> None:
    """Orphans count at their reserved cost; budgets, windows and breakers go on where they were."""
    first = open_governor()
    for _ in range(2):
        first.settle(first.admit(_call(first)), FAILED)
    clock.advance(30)
    first.settle(first.admit(_call(first, job="small")), DONE)
    first.admit(_call(first, job="small"))
    clock.advance(1)

    second = open_governor()

    assert second.ledger.orphans == 1
    now = clock.moment()
    small = next(view for view in second.state.budgets(now) if view.budget == "small")
    assert (small.spent, small.reserved) == (320_000, 0)
    window = next(view for view in second.state.limits(now) if view.service == "llm")
    assert window.used == 4
    assert next(view for view in second.state.breakers(now) if view.service == "llm").state == "closed"
    assert next(row for row in _rows(second) if row.status == "orphaned").estimated


def test_an_open_breaker_is_still_open_after_a_restart(
    open_governor: Callable[[], Governor], clock: ManualClock
) -> None:
    """A restart is no way around a circuit that is open."""
    first = open_governor()
    for _ in range(2):
        first.settle(first.admit(_call(first)), FAILED)
    clock.advance(10)
    second = open_governor()
    with pytest.raises(sg.BreakerOpen) as caught:
        second.admit(_call(second))
    assert caught.value.retry_after == 20.0


def test_a_call_that_can_not_be_recorded_does_not_leave(governor: Governor, tmp_path: Path) -> None:
    """With the ledger gone the gate refuses to let money out, and holds nothing."""
    governor.ledger.close()
    with pytest.raises(LedgerError):
        governor.admit(_call(governor, job="small"))
    small = next(view for view in governor.state.budgets(governor.clock.moment()) if view.budget == "small")
    assert (small.spent, small.reserved) == (0, 0)


@pytest.mark.parametrize("way", ["threads", "tasks"])
def test_budget_01_two_hundred_parallel_calls_on_room_for_three(governor: Governor, way: str) -> None:
    """Exactly three go out, whether they come from threads or from tasks."""
    bound = Usage(input_tokens=1000)  # $0.001 each, of $0.003
    gone: list[Admitted] = []

    def from_thread() -> None:
        try:
            gone.append(governor.admit(_call(governor, job="small", bound=bound)))
        except sg.BudgetExceeded:
            return

    async def from_task() -> None:
        try:
            gone.append(await governor.aadmit(_call(governor, job="small", bound=bound), max_wait_us=0))
        except sg.BudgetExceeded:
            return

    async def all_tasks() -> None:
        await asyncio.gather(*(from_task() for _ in range(200)))

    if way == "threads":
        threads = [threading.Thread(target=from_thread) for _ in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    else:
        asyncio.run(all_tasks())

    assert len(gone) == 3
    statuses = [row.status for row in _rows(governor)]
    assert statuses.count("reserved") == 3
    assert statuses.count("refused") == 197
