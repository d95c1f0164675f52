"""Several processes on one ledger: one looks and tells, the others show, and take over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.alerts.conftest import Sink, until

from switchgear.alerts.desk import AlertDesk
from switchgear.alerts.readings import Asked, Reading
from switchgear.alerts.views import board_of
from switchgear.clients.governor import Governor
from switchgear.clock import SystemClock
from switchgear.config import load_text
from switchgear.insight.snapshot import MetricsCollector
from switchgear.ledger import Ledger
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Readings = dict[Asked, Sequence[Reading]]

HOT: Readings = {Asked("breaker.open", None): [Reading({"service": "openai"}, 1.0)]}
COLD: Readings = {Asked("breaker.open", None): [Reading({"service": "openai"}, 0.0)]}


class Turn:
    """Who leads, as the test says."""

    def __init__(self, *, leads: bool) -> None:
        self.leads = leads
        self.closed = False

    def holds(self) -> bool:
        return self.leads

    def close(self) -> None:
        self.closed = True


class Given:
    """Has the readings that the test says."""

    def __init__(self) -> None:
        self.readings: Readings = {}

    def read(self, _asked: object, *, now: int) -> Readings:
        return self.readings


class Pair:
    """Two desks on one ledger with one receiver; the first leads."""

    def __init__(self, file: Path, sink: Sink) -> None:
        self.clock = ManualClock(1_795_521_600.0)
        config = load_text(
            f'[ledger]\nurl = "sqlite:///{file}"\n[services.openai]\n'
            f'[[alerts.channels]]\nname = "hook"\nurl = "{sink.url}"\n'
        )
        self.governor = Governor(config, clock=self.clock)
        self.turns = (Turn(leads=True), Turn(leads=False))
        self.seen = (Given(), Given())
        self.desks = tuple(self._desk(turn, given) for turn, given in zip(self.turns, self.seen, strict=True))

    def _desk(self, turn: Turn, given: Given) -> AlertDesk:
        ledger = self.governor.ledger
        desk = AlertDesk(
            self.governor.config,
            collector=MetricsCollector(ledger.reader, self.governor.state, self.clock, config=self.governor.config),
            reader=ledger.reader,
            record=ledger.record,
            clock=self.clock,
            environ={},
            link="http://127.0.0.1:8400",
            lead=turn,
        )
        vars(desk)["_gatherer"] = given
        return desk

    def turn(self) -> None:
        """Let both look and tell."""
        self.clock.advance(15)
        for desk in self.desks:
            desk.look()
            desk.deliver("hook")

    def find(self, readings: Readings) -> None:
        for each in self.seen:
            each.readings = readings

    def swap(self) -> None:
        """Have the other one lead."""
        for turn in self.turns:
            turn.leads = not turn.leads

    def close(self) -> None:
        for desk in self.desks:
            desk.close()
        self.governor.close()


@pytest.fixture
def pair(tmp_path: Path, sink: Sink) -> Iterator[Pair]:
    """Two desks, the first of which leads."""
    made = Pair(tmp_path / "l.db", sink)
    yield made
    made.close()


def test_one_tells_and_the_other_shows(pair: Pair, sink: Sink) -> None:
    """Both see it, one message goes out, and both have it on their page."""
    pair.find(HOT)
    for _ in range(4):
        pair.turn()

    assert sink.told == [("breaker-open", "firing")]
    assert [board_of(desk).firing for desk in pair.desks] == [1, 1]
    assert [board_of(desk).leads for desk in pair.desks] == [True, False]


def test_who_takes_over_repeats_nothing_and_forgets_nothing(pair: Pair, sink: Sink) -> None:
    """The new one knows who was told; the end is told by it, and the old one is silent."""
    pair.find(HOT)
    pair.turn()
    pair.swap()
    for _ in range(3):
        pair.turn()
    assert sink.told == [("breaker-open", "firing")]

    pair.find(COLD)
    pair.turn()
    pair.swap()
    for _ in range(3):
        pair.turn()
    assert sink.told == [("breaker-open", "firing"), ("breaker-open", "resolved")]


def test_what_people_say_to_any_process_holds(pair: Pair, sink: Sink) -> None:
    """A silence and an acknowledgement that were given to the one that does not lead."""
    pair.turn()
    pair.desks[1].silence({"service": "openai"}, for_us=30_000_000, by="ann", reason="planned")
    pair.find(HOT)
    pair.turn()
    assert sink.told == []
    assert board_of(pair.desks[0]).items[0].muted_by is not None

    pair.turn()
    pair.turn()
    assert sink.told == [("breaker-open", "firing")]
    assert pair.desks[1].acknowledge("breaker-open{service=openai}", by="bob", note="on it") is not None
    pair.turn()
    assert [item.acknowledged_by for item in board_of(pair.desks[0]).items] == ["bob"]
    pair.clock.advance(5 * 3600)
    pair.turn()
    assert len(sink.got) == 1


def test_nobody_tells_while_nobody_leads(pair: Pair, sink: Sink) -> None:
    """Who has lost the lead stops at once, also between a look and its message."""
    pair.find(HOT)
    pair.desks[0].look()
    pair.turns[0].leads = False
    pair.desks[0].deliver("hook")
    assert sink.got == []

    pair.turns[1].leads = True
    pair.turn()
    assert sink.told == [("breaker-open", "firing")]
    pair.close()
    assert [turn.closed for turn in pair.turns] == [True, True]


def test_one_process_leads_on_postgresql(make_postgres: Callable[[], str]) -> None:
    """Of three on a real server the first; when its connection breaks or it closes, another does."""
    url = make_postgres()
    ledgers = [Ledger.open(url, clock=SystemClock()) for _ in range(3)]
    leads = [ledger.lead("alerts") for ledger in ledgers]
    other = ledgers[1].lead("something else")
    try:
        first, second, third = (lead for lead in leads if lead is not None)
        assert [first.holds(), second.holds(), third.holds(), first.holds()] == [True, False, False, True]
        assert other is not None
        assert other.holds()

        connection = vars(first)["_connection"]
        connection.close()  # as if the server had ended it
        assert not first.holds()
        until(second.holds)  # the server needs a moment to see that it is gone
        assert not first.holds()
        second.close()
        assert not second.holds()
        until(third.holds)
        assert not first.holds()
    finally:
        for lead in (*leads, other):
            assert lead is not None
            lead.close()
        for ledger in ledgers:
            ledger.close()


def test_a_ledger_of_one_process_needs_no_lead(tmp_path: Path) -> None:
    """On SQLite whoever writes is alone."""
    with Ledger.open(f"sqlite:///{tmp_path}/l.db", clock=SystemClock()) as ledger:
        assert ledger.lead("alerts") is None
