from __future__ import annotations

import asyncio

import pytest

import switchgear as sg
from switchgear.clients.governor import Governor
from switchgear.ledger.views import CallFilter, CallRow


def _row(governor: Governor) -> CallRow:
    return governor.ledger.reader.calls(CallFilter()).items[0]


def test_a_block_is_one_call_with_its_units_and_attribution(governor: Governor) -> None:
    """Entering admits, leaving settles; units are priced, and the call knows its id."""
    with sg.attribution(job="j", layer="l"), governor.call("pages", units={"pages": 3}, endpoint="scrape") as call:
        assert _row(governor).status == "reserved"
    row = _row(governor)
    assert call.id == row.call_id
    assert (row.status, row.endpoint, row.job, row.layer, row.units) == ("ok", "scrape", "j", "l", {"pages": 3})
    assert row.cost == 7_000_000
    assert call.settlement is not None
    assert call.settlement.cost == row.cost


def test_what_was_really_used_replaces_the_bound(governor: Governor) -> None:
    """The block may say what it used; that is settled instead."""
    with governor.call("pages", units={"pages": 10}) as call:
        call.used(units={"pages": 1})
    assert _row(governor).cost == 3_000_000
    with governor.call("llm", model="m", input_tokens=1000, max_output_tokens=500) as call:
        call.used(input_tokens=700, output_tokens=20, cache_read_tokens=100)
    row = _row(governor)
    assert (row.input_tokens, row.output_tokens, row.cache_read_tokens) == (700, 20, 100)


def test_an_exception_is_a_failure_of_the_service_and_goes_on(governor: Governor) -> None:
    """The user's own exception comes out; the call failed, at an estimate, and the breaker hears of it."""
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), governor.call("pages"):
            _ = 1 / 0
    row = _row(governor)
    assert (row.status, row.error, row.estimated) == ("failed", "ZeroDivisionError", True)
    with pytest.raises(sg.BreakerOpen), governor.call("pages"):
        pytest.fail("the body of a refused call runs")


async def test_a_cancelled_block_says_nothing_about_the_service(governor: Governor) -> None:
    """Cancelling a task inside the block is no failure, and the call is on record as cancelled."""
    inside = asyncio.Event()

    async def work() -> None:
        async with governor.call("pages"):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _row(governor).status == "cancelled"
    breaker = next(one for one in governor.state.breakers(governor.clock.moment()) if one.service == "pages")
    assert (breaker.calls, breaker.failures) == (0, 0)


async def test_the_asynchronous_block_settles_too(governor: Governor) -> None:
    """``async with`` is the same call."""
    async with governor.call("pages", units={"pages": 1}) as call:
        assert call.id is not None
    assert _row(governor).cost == 3_000_000


def test_a_limit_that_is_not_waited_for_refuses(governor: Governor) -> None:
    """The service's own patience holds unless the call brings another."""
    with governor.call("tight"):
        pass
    with pytest.raises(sg.RateLimited) as caught, governor.call("tight"):
        pytest.fail("the body of a refused call runs")
    assert caught.value.retry_after == 60.0
    with governor.call("tight", max_wait=60):
        pass
    assert _row(governor).waited_us == 60_000_000


def test_budget_07_a_skipped_call_raises_before_its_body(governor: Governor) -> None:
    """A ``skip`` budget raises *Skipped*, which is a *BudgetExceeded*."""
    with sg.attribution(job="optional"), pytest.raises(sg.Skipped) as caught, governor.call("pages"):
        pytest.fail("the body of a skipped call runs")
    assert isinstance(caught.value, sg.BudgetExceeded)


def test_an_unknown_service_is_a_config_error(governor: Governor) -> None:
    """The error lists the services there are, at the moment the block is made."""
    with pytest.raises(sg.ConfigError, match="llm, pages, tight"):
        governor.call("page")


@pytest.mark.parametrize("wrong", [-1, 1.5, True, "3"])
def test_numbers_are_whole_and_not_negative(governor: Governor, wrong: object) -> None:
    """A bound that is no number is an error of the caller, told at once."""
    with pytest.raises(ValueError, match="is a whole number from 0 on"):
        governor.call("pages", units={"pages": wrong})  # type: ignore[dict-item]  # the wrong type is the point
