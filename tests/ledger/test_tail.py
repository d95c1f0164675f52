from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.calls import Call, Usage
from switchgear.ledger.ledger import Ledger
from switchgear.ledger.rows import AttemptReserved, AttemptSettled
from switchgear.ledger.tail import OVERLAP
from switchgear.ledger.views import CallFilter
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


NOW = 1_795_525_200_000_000


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger of one's own."""
    ledger = Ledger.open(f"sqlite:///{tmp_path}/l.db", clock=ManualClock(start=NOW / 1e6))
    yield ledger
    ledger.close()


def _reserve(ledger: Ledger, number: int, *, at: int = NOW, service: str = "openai") -> Call:
    call = Call(id=f"call-{number:06d}", service=service, endpoint="/v1/chat/completions", model="m")
    ledger.reserve(AttemptReserved(call=call, cost=1, price_version="v", started_at=at, waited_us=0)).wait(10)
    return call


def _settle(ledger: Ledger, call: Call) -> None:
    settled = AttemptSettled(
        call_id=call.id,
        attempt=call.attempt,
        status="ok",
        usage=Usage(input_tokens=1, output_tokens=1),
        cost=1,
        price_version="v",
        estimated=False,
        http_status=200,
        error=None,
        model=None,
        ttft_us=None,
        duration_us=1,
    )
    ledger.settle(settled).wait(10)


def test_places_follow_the_order_of_recording(ledger: Ledger) -> None:
    """A call that began earlier and was recorded later comes later."""
    first = _reserve(ledger, 1, at=NOW)
    place = ledger.reader.tail.last()
    second = _reserve(ledger, 2, at=NOW - 60_000_000)
    places = ledger.reader.tail.places(CallFilter(), after=place, known=(place,), limit=10)
    assert [each.row.call_id for each in ledger.reader.tail.rows(places)] == [second.id]
    assert ledger.reader.tail.rows((place,))[0].row.call_id == first.id


def test_an_empty_ledger_has_no_place(ledger: Ledger) -> None:
    """Before the first call there is nothing to follow, and nothing is on the wire."""
    tail = ledger.reader.tail
    assert tail.last() == 0
    assert tail.places(CallFilter(), after=0, known=(), limit=10) == ()
    assert tail.on_the_wire(CallFilter(), limit=10) == frozenset()


def test_what_ends_is_told(ledger: Ledger) -> None:
    """An attempt on the wire is told again once it is settled, and not before."""
    call = _reserve(ledger, 1)
    tail = ledger.reader.tail
    flying = tail.on_the_wire(CallFilter(status="ok"), limit=10)
    assert len(flying) == 1
    assert tail.rows((), ended=flying) == ()
    _settle(ledger, call)
    assert [each.row.status for each in tail.rows((), ended=flying)] == ["ok"]


def test_only_what_is_wanted_is_followed(ledger: Ledger) -> None:
    """A filter holds for what comes and for what is on the wire."""
    _reserve(ledger, 1)
    _reserve(ledger, 2, service="local")
    tail = ledger.reader.tail
    assert len(tail.places(CallFilter(service="local"), after=0, known=(), limit=10)) == 1
    assert len(tail.on_the_wire(CallFilter(service="local"), limit=10)) == 1


def test_the_newest_come_where_there_are_too_many(ledger: Ledger) -> None:
    """Of more than is asked for the newest places are returned, in order."""
    for number in range(5):
        _reserve(ledger, number)
    last = ledger.reader.tail.last()
    assert ledger.reader.tail.places(CallFilter(), after=0, known=(), limit=2) == (last - 1, last)


@pytest.fixture(scope="module")
def eight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A ledger with eight attempts on the wire."""
    ledger = Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('tail')}/l.db", clock=ManualClock(start=NOW / 1e6))
    for number in range(8):
        _reserve(ledger, number)
    yield ledger
    ledger.close()


@settings(max_examples=50, deadline=None)
@given(order=st.permutations(range(8)), steps=st.lists(st.integers(0, 8), min_size=1, max_size=6))
def test_places_that_are_committed_out_of_order_are_found(eight: Ledger, order: list[int], steps: list[int]) -> None:
    """Whatever the order in which places become visible, each is told exactly once."""
    tail = eight.reader.tail
    every = tail.places(CallFilter(), after=0, known=(), limit=100)
    waiting = [every[index] for index in order]
    known: set[int] = set()
    told: list[int] = []
    last = 0
    for step in [*steps, len(order)]:
        del waiting[:step]
        found = tail.places(CallFilter(), after=last, known=known | set(waiting), limit=100)
        told += found
        last = max(last, *found) if found else last
        known = {seq for seq in (*known, *found) if seq > last - OVERLAP}
    assert sorted(told) == sorted(every)
