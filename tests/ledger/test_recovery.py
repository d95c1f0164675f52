from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from switchgear.calls import Usage
from switchgear.events import BreakerChanged, BudgetCrossed, CircuitName
from switchgear.ledger import Ledger
from switchgear.ledger.recovery import BreakerMemory, RecentCalls, Spend

if TYPE_CHECKING:
    from tests.ledger.conftest import Rows

    from switchgear.testing import ManualClock

SECOND = 1_000_000


def changed(service: str, new: CircuitName, at: int, until: int | None = None) -> BreakerChanged:
    """Return a change of a breaker."""
    return BreakerChanged(
        service=service, old="closed", new=new, reason="5 failures in a row", at=at, opened_times=2, until=until
    )


def abandon(url: str, clock: ManualClock, rows: Rows) -> None:
    """Leave a ledger with one settled, one priced and one unpriced attempt on the wire."""
    with Ledger.open(url, clock=clock) as ledger:
        ledger.reserve(rows.reserved("done", job="a"))
        ledger.settle(rows.settled("done"))
        ledger.reserve(rows.reserved("lost", job="a", cost=1_000, bound=Usage(input_tokens=60, output_tokens=40)))
        ledger.reserve(rows.reserved("blind", job="b", cost=None)).wait()


def test_orphans_count_at_their_worst_case(durable_url: str, clock: ManualClock, rows: Rows) -> None:
    """What was on the wire when a process ended is settled at what was reserved, marked as an estimate."""
    abandon(durable_url, clock, rows)
    with Ledger.open(durable_url, clock=clock) as ledger:
        [lost] = ledger.reader.call("lost")
        [blind] = ledger.reader.call("blind")
        [total] = ledger.reader.totals()
        [event] = ledger.reader.events()

        assert ledger.orphans == 2
        assert (lost.status, lost.cost, lost.estimated) == ("orphaned", 1_000, True)
        assert (lost.input_tokens, lost.output_tokens, lost.duration_us) == (60, 40, None)
        assert (blind.status, blind.cost) == ("orphaned", None)
        assert (total.orphaned, total.ok, total.cost, total.unpriced, total.estimated) == (2, 1, 1_300, 1, 2)
        assert (event.kind, event.subject, event.at) == ("orphans_settled", "ledger", rows.noon)
        assert event.what == {"attempts": 2, "cost": 1_000}


def test_orphans_are_settled_once(durable_url: str, clock: ManualClock, rows: Rows) -> None:
    """A third start finds nothing left to settle, and the late word of the dead process changes nothing."""
    abandon(durable_url, clock, rows)
    Ledger.open(durable_url, clock=clock).close()
    with Ledger.open(durable_url, clock=clock) as ledger:
        ledger.settle(rows.settled("lost", cost=5)).wait()

        assert ledger.orphans == 0
        assert ledger.reader.totals()[0].cost == 1_300
        assert len(ledger.reader.events()) == 1


def test_recent_calls_are_told_in_cells(ledger: Ledger, rows: Rows) -> None:
    """Attempts of one service within a cell are one entry, at the latest of them; refusals went nowhere."""
    for number, second in enumerate([0, 1, 9, 10, 30]):
        ledger.reserve(rows.reserved(f"call-{number}", at=rows.noon + second * SECOND))
    ledger.settle(rows.settled("call-0", usage=Usage(input_tokens=1, output_tokens=2)))
    ledger.reserve(rows.reserved("other", service="anthropic", at=rows.noon + 5 * SECOND))
    ledger.reserve(rows.reserved("old", at=rows.noon - 1))
    ledger.refuse(rows.refused("refused", at=rows.noon)).wait()

    assert ledger.recent_calls(since_us=rows.noon, cell_us=10 * SECOND) == (
        RecentCalls(service="anthropic", at=rows.noon + 5 * SECOND, requests=1, tokens=150),
        RecentCalls(service="openai", at=rows.noon + 9 * SECOND, requests=3, tokens=303),
        RecentCalls(service="openai", at=rows.noon + 10 * SECOND, requests=1, tokens=150),
        RecentCalls(service="openai", at=rows.noon + 30 * SECOND, requests=1, tokens=150),
    )


def test_recent_calls_end_before_until(ledger: Ledger, rows: Rows) -> None:
    """Two questions that share an instant count nothing twice."""
    for number in range(4):
        ledger.reserve(rows.reserved(f"call-{number}", at=rows.noon + number)).wait()
    edge = rows.noon + 2
    older = ledger.recent_calls(since_us=rows.noon, until_us=edge, cell_us=SECOND)
    newer = ledger.recent_calls(since_us=edge, cell_us=SECOND)

    assert [(one.at, one.requests) for one in (*older, *newer)] == [(rows.noon + 1, 2), (rows.noon + 3, 2)]


def spent(ledger: Ledger, rows: Rows) -> None:
    """Record four settled attempts of 300 nano-USD and 110 tokens, one of them unpriced, and a refusal."""
    ledger.reserve(rows.reserved("one", job="a", run="r", layer="x", key="k", tags=(("team", "red"), ("ring", "1"))))
    ledger.reserve(rows.reserved("two", job="a", tags=(("team", "blue"),)))
    ledger.reserve(rows.reserved("three", job="b", service="anthropic", model="claude"))
    ledger.reserve(rows.reserved("early", job="b", at=rows.noon - 1))
    ledger.refuse(rows.refused("refused", job="a"))
    for call_id, cost in [("one", 300), ("two", 300), ("three", None), ("early", 300)]:
        ledger.settle(rows.settled(call_id, cost=cost, model="billed-model")).wait()


@pytest.mark.parametrize(
    ("match", "calls", "unpriced"),
    [
        ({}, 3, 1),
        ({"service": "openai"}, 2, 0),
        ({"model": "claude"}, 1, 1),
        ({"model": "billed-model"}, 0, 0),
        ({"job": "a"}, 2, 0),
        ({"job": "a", "service": "anthropic"}, 0, 0),
        ({"run": "r"}, 1, 0),
        ({"layer": "x"}, 1, 0),
        ({"key": "k"}, 1, 0),
        ({"tag.team": "blue"}, 1, 0),
        ({"tag.team": "blue", "tag.ring": "1"}, 0, 0),
        ({"tag.te'am\"": "blue"}, 0, 0),
    ],
)
def test_spend_follows_the_match(ledger: Ledger, rows: Rows, match: dict[str, str], calls: int, unpriced: int) -> None:
    """Spend is what attempts with all of these facets used, by the model that was asked for."""
    spent(ledger, rows)

    assert ledger.spend(since_us=rows.noon, match=match) == {
        None: Spend(cost=300 * (calls - unpriced), tokens=110 * calls, unpriced=unpriced)
    }


def test_spend_by_each(ledger: Ledger, rows: Rows) -> None:
    """With *each* there is one sum for every value, and one for attempts without."""
    spent(ledger, rows)

    assert ledger.spend(since_us=0, match={}, each="job") == {
        "a": Spend(cost=600, tokens=220, unpriced=0),
        "b": Spend(cost=300, tokens=220, unpriced=1),
    }
    assert ledger.spend(since_us=0, match={"service": "openai"}, each="tag.team") == {
        None: Spend(cost=300, tokens=110, unpriced=0),
        "blue": Spend(cost=300, tokens=110, unpriced=0),
        "red": Spend(cost=300, tokens=110, unpriced=0),
    }


def test_spend_knows_its_facets(ledger: Ledger) -> None:
    """A facet that attempts don't have is the caller's mistake."""
    with pytest.raises(ValueError, match="attempts have no 'planet'; known are service, model"):
        ledger.spend(since_us=0, match={"planet": "mars"})


def test_breakers_are_remembered(ledger: Ledger, rows: Rows) -> None:
    """The last change of each breaker is told; other events are no changes."""
    ledger.record(changed("openai", "open", rows.noon, until=rows.noon + SECOND))
    ledger.record(changed("openai", "half_open", rows.noon + SECOND))
    ledger.record(changed("anthropic", "open", rows.noon, until=rows.noon + SECOND))
    ledger.record(
        BudgetCrossed(budget="openai", value=None, threshold=0.75, used=8, limit=10, unit="usd", at=rows.noon)
    ).wait()

    assert ledger.breakers() == (
        BreakerMemory(
            service="anthropic",
            state="open",
            at=rows.noon,
            until=rows.noon + SECOND,
            opened_times=2,
            reason="5 failures in a row",
        ),
        BreakerMemory(
            service="openai",
            state="half_open",
            at=rows.noon + SECOND,
            until=None,
            opened_times=2,
            reason="5 failures in a row",
        ),
    )
