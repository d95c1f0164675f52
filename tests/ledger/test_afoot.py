"""What is remembered of reservations changes nothing of what is written."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.calls import Attribution, Call, Refusal, Usage
from switchgear.ledger import Ledger
from switchgear.ledger.afoot import Afoot
from switchgear.ledger.books import enter
from switchgear.ledger.rows import AttemptRefused, AttemptReserved, AttemptSettled
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from switchgear.ledger.books import Record

TABLES = ("attempts", "rollups", "job_totals", "rollup_changes")
CALLS = [f"{number:026d}" for number in range(6)]


def reserved(number: int, attempt: int = 1) -> AttemptReserved:
    """Return the reservation of call *number*."""
    said = Attribution(job=f"job-{number % 2}", layer="l")
    call = Call(id=CALLS[number], service="s", endpoint="/e", model="m", attribution=said, attempt=attempt)
    return AttemptReserved(call=call, cost=7, price_version=None, started_at=1_000_000 * number, waited_us=number)


def settled(number: int, attempt: int = 1) -> AttemptSettled:
    """Return the settlement of call *number*."""
    return AttemptSettled(
        call_id=CALLS[number],
        attempt=attempt,
        status="ok",
        usage=Usage(input_tokens=number + 1),
        cost=5,
        price_version=None,
        estimated=False,
        http_status=200,
        error=None,
        model=None,
        ttft_us=None,
        duration_us=3,
    )


def refused(number: int) -> AttemptRefused:
    """Return a refusal, under an id of its own."""
    refusal = Refusal(reason="budget", rule="r", service="s", message="no")
    call = Call(id=f"refused-{number}", service="s", endpoint="/e")
    return AttemptRefused(call=call, refusal=refusal, cost=1, at=number, waited_us=0)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with nothing in it."""
    path = tmp_path_factory.mktemp("empty") / "ledger.db"
    Ledger.open(f"sqlite:///{path}", clock=ManualClock()).close()
    return path


class Pair:
    """Two ledgers that are told the same, one by a connection that remembers."""

    def __init__(self, empty: Path, places: Sequence[str | Path] = (":memory:", ":memory:")) -> None:
        self.connections = [sqlite3.connect(place, isolation_level=None) for place in places]
        with contextlib.closing(sqlite3.connect(empty)) as source:
            for connection in self.connections:
                source.backup(connection)
        self.afoot = Afoot()

    def enter(self, records: list[Record]) -> None:
        """Write *records* to both."""
        plain, mindful = self.connections
        problems = enter(plain, records)
        assert enter(mindful, records, self.afoot).keys() == problems.keys()

    def agree(self) -> bool:
        """Return whether both hold the same."""
        one, other = (
            [connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES]  # noqa: S608 - ours
            for connection in self.connections
        )
        return one == other

    def close(self) -> None:
        """Let go of both."""
        for connection in self.connections:
            connection.close()


STEP = st.tuples(st.sampled_from(["reserve", "settle", "refuse"]), st.integers(0, 5))


@given(batches=st.lists(st.lists(STEP, min_size=1, max_size=6), max_size=6))
def test_both_write_the_same(batches: list[list[tuple[str, int]]], empty: Path) -> None:
    """Reserved, settled, settled twice, settled in the same transaction, never reserved, refused in between."""
    pair = Pair(empty)
    begun: set[int] = set()
    turned = 0
    for batch in batches:
        records: list[Record] = []
        for what, number in batch:
            if what == "settle":
                records.append(settled(number))
            elif what == "refuse":
                turned += 1
                records.append(refused(turned))
            elif number not in begun:
                begun.add(number)
                records.append(reserved(number))
        if records:
            pair.enter(records)
    assert pair.agree()
    pair.close()


def test_what_another_connection_changes_is_seen(empty: Path, tmp_path: Path) -> None:
    """An attempt whose job is erased meanwhile is not counted under it when it is settled."""
    places = [tmp_path / "plain.db", tmp_path / "mindful.db"]
    pair = Pair(empty, places)
    pair.enter([reserved(0), reserved(1)])
    for place in places:
        with contextlib.closing(sqlite3.connect(place, isolation_level=None)) as other:
            other.execute("UPDATE attempts SET job = NULL WHERE call_id = ?", (CALLS[0],))
    pair.enter([settled(0), settled(1)])
    assert pair.agree()
    jobs = pair.connections[1].execute("SELECT job, calls FROM job_totals ORDER BY job").fetchall()
    assert jobs == [("", 1), ("job-1", 1)]
    pair.close()
