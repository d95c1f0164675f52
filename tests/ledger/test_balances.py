from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from switchgear.calls import Usage
from switchgear.ledger import Ledger
from switchgear.ledger.balances import carry_forward
from switchgear.ledger.counted import Counted, Spend
from switchgear.ledger.engine import reading
from switchgear.ledger.erase import erase_job
from switchgear.ledger.retention import prune
from switchgear.ledger.schema import attempts, budget_sums
from switchgear.policies.calendar import period_at
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import Engine
    from tests.ledger.conftest import Rows

DAY_US = 86_400_000_000
QUARTER = 15 * 60 * 1_000_000


def engine_of(ledger: Ledger) -> Engine:
    """Return what the tools work on."""
    return ledger._engine  # noqa: SLF001 - the tools work on the engine


def count(ledger: Ledger) -> int:
    """Return how many attempts are kept."""
    with reading(engine_of(ledger)) as connection:
        return connection.execute(select(func.count()).select_from(attempts)).scalar_one()


def spent(ledger: Ledger, rows: Rows) -> None:
    """Record four settled attempts of 300 nano-USD and 110 tokens, one of them unpriced, and a refusal."""
    ledger.reserve(rows.reserved("one", job="a", run="r", layer="x", key="k", tags=(("team", "red"), ("ring", "1"))))
    ledger.reserve(rows.reserved("two", job="a", tags=(("team", "blue"),)))
    ledger.reserve(rows.reserved("three", job="b", service="anthropic", model="claude"))
    ledger.reserve(rows.reserved("early", job="b", at=rows.noon - DAY_US))
    ledger.refuse(rows.refused("refused", job="a"))
    for call_id, cost in [("one", 300), ("two", 300), ("three", None), ("early", 300)]:
        ledger.settle(rows.settled(call_id, cost=cost, model="billed-model")).wait()


@pytest.mark.parametrize("carried", [False, True])
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
def test_spend_follows_the_match(
    ledger: Ledger, rows: Rows, match: dict[str, str], calls: int, unpriced: int, *, carried: bool
) -> None:
    """Spend is what attempts of the period with all of these facets used, by the model that was asked for."""
    counted = Counted(match=tuple(match.items()), period="day")
    spent(ledger, rows)
    if carried:
        ledger.carry_forward([counted], now_us=rows.noon)

    found = ledger.spend(counted, now_us=rows.noon)

    assert found.get(None, Spend(cost=0, tokens=0, unpriced=0)) == Spend(
        cost=300 * (calls - unpriced), tokens=110 * calls, unpriced=unpriced
    )
    assert found.keys() <= {None}


@pytest.mark.parametrize("carried", [False, True])
def test_spend_by_each(ledger: Ledger, rows: Rows, *, carried: bool) -> None:
    """With *each* there is one sum for every value; attempts without one are in none."""
    spent(ledger, rows)
    jobs, teams = Counted(each="job"), Counted(match=(("service", "openai"),), each="tag.team")
    if carried:
        ledger.carry_forward([jobs, teams], now_us=rows.noon)

    assert ledger.spend(jobs, now_us=rows.noon) == {
        "a": Spend(cost=600, tokens=220, unpriced=0),
        "b": Spend(cost=300, tokens=220, unpriced=1),
    }
    assert ledger.spend(teams, now_us=rows.noon) == {
        "blue": Spend(cost=300, tokens=110, unpriced=0),
        "red": Spend(cost=300, tokens=110, unpriced=0),
    }


def test_spend_knows_its_facets() -> None:
    """A facet that attempts don't have is the caller's mistake."""
    with pytest.raises(ValueError, match="attempts have no 'planet'; known are service, model"):
        Counted(match=(("planet", "mars"),))


def test_budgets_are_told_apart_by_what_they_count() -> None:
    """Neither the zone of a period that never ends nor the period of a rolling one makes other sums."""
    assert Counted(timezone="Europe/Vienna").text == Counted().text
    assert Counted(period="day", timezone="Europe/Vienna").text != Counted(period="day").text
    assert Counted(rolling_us=DAY_US, timezone="Europe/Vienna").text == Counted(rolling_us=DAY_US).text


EVERY = (
    Counted(),
    Counted(match=(("service", "openai"),), period="month", timezone="Europe/Vienna"),
    Counted(each="layer", period="day", timezone="Asia/Kathmandu"),
    Counted(each="job"),
    Counted(match=(("job", "a"),), period="day", timezone="Europe/Vienna"),
    Counted(match=(("tag.team", "red"),), each="run", period="week"),
    Counted(match=(("model", "gpt-5"),), period="hour"),
    Counted(each="tag.team", rolling_us=3 * DAY_US),
    Counted(rolling_us=QUARTER),
)
AUTUMN = int(dt.datetime(2026, 10, 25, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000


class Paper:
    """Everything that was ever settled, written down beside the ledger."""

    def __init__(self) -> None:
        self.settled: list[dict[str, Any]] = []

    def spend(self, counted: Counted, now: int) -> dict[str | None, Spend]:
        """Add up what *counted* counts, one by one."""
        if counted.rolling_us is not None:
            since = now - counted.rolling_us
        else:
            since = 0 if counted.period == "total" else period_at(counted.period, counted.timezone, now)[0]
        found: dict[str | None, list[int]] = defaultdict(lambda: [0, 0, 0])
        for row in self.settled:
            if row["at"] < since or any(row.get(name) != wanted for name, wanted in counted.match):
                continue
            value = None if counted.each is None else row.get(counted.each)
            if counted.each is None or value is not None:
                sums = found[value]
                sums[0] += row["cost"] or 0
                sums[1] += row["tokens"]
                sums[2] += row["cost"] is None
        return {value: Spend(cost=cost, tokens=tokens, unpriced=none) for value, (cost, tokens, none) in found.items()}


Step = tuple[Literal["open", "settle", "carry", "prune", "forward"], int]
maybe = st.sampled_from([None, "a", "b"])
steps: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.sampled_from(["open", "open", "open", "settle", "settle", "carry", "prune", "forward"]),
        st.integers(0, 400),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(history=steps, carried=st.lists(st.sampled_from(EVERY), unique=True), data=st.data())
def test_what_is_carried_forward_is_what_was_spent(
    rows: Rows, history: list[Step], carried: Sequence[Counted], data: st.DataObject
) -> None:
    """However marks are moved, calls settled late and attempts pruned, every budget is the sum of all its calls."""
    clock, paper = ManualClock(AUTUMN / 1_000_000), Paper()
    with Ledger.open("sqlite://", clock=clock) as ledger:
        flying: list[dict[str, Any]] = []
        ledger.carry_forward(carried, now_us=AUTUMN)
        for number, (what, amount) in enumerate(history):
            now = clock.moment().wall
            if what == "open":
                row: dict[str, Any] = {
                    "id": f"call-{number}",
                    "at": now - amount * QUARTER,
                    "service": data.draw(st.sampled_from(["openai", "anthropic"])),
                    "model": data.draw(st.sampled_from(["gpt-5", "claude"])),
                    "job": data.draw(maybe),
                    "run": data.draw(maybe),
                    "layer": data.draw(maybe),
                    "tag.team": data.draw(st.sampled_from([None, "red", "blue"])),
                }
                tags = (("team", row["tag.team"]),) if row["tag.team"] else ()
                plain = {name: row[name] for name in ("at", "service", "model", "job", "run", "layer")}
                ledger.reserve(rows.reserved(row["id"], tags=tags, **plain)).wait()
                flying.append(row)
            elif what == "settle" and flying:
                row = flying.pop(amount % len(flying))
                cost = data.draw(st.none() | st.integers(0, 10**12))
                ledger.settle(rows.settled(row["id"], cost=cost, usage=Usage(input_tokens=amount))).wait()
                paper.settled.append({**row, "cost": cost, "tokens": amount})
            elif what == "carry":
                carry_forward(engine_of(ledger), carried, now_us=now, step=1 + amount % 3)
            elif what == "prune":
                # Only sums from before the first pruning know all, so what is asked for must be among them.
                prune(engine_of(ledger), before_us=now - 2 * DAY_US, budgets=carried, clock=clock, by="ann")
            elif what == "forward":
                clock.advance(amount * 60.0)
            now = clock.moment().wall
            pruned = ledger.reader.events(kind="attempts_pruned") != ()
            for counted in carried if pruned else EVERY:
                found, wanted = ledger.spend(counted, now_us=now), paper.spend(counted, now)
                if counted.rolling_us and pruned:
                    # The first piece counts as a whole where its attempts are gone: never too little.
                    assert all(found[value].tokens >= spent.tokens for value, spent in wanted.items())
                else:
                    assert found == wanted


def test_a_budget_by_service_or_layer_knows_what_was_pruned(ledger: Ledger, rows: Rows, clock: ManualClock) -> None:
    """Roll-ups forget nothing, so a new budget by these is exact from the first call on; another says where not."""
    for number in range(3):
        ledger.reserve(rows.reserved(f"old-{number}", at=rows.noon - 20 * DAY_US, layer="x", job="a"))
        ledger.settle(rows.settled(f"old-{number}")).wait()
    prune(engine_of(ledger), before_us=rows.noon - 9 * DAY_US, budgets=(), clock=clock, by="ann")
    assert count(ledger) == 1

    every = [Counted(each="layer"), Counted(each="job"), Counted(each="job", period="day")]
    ledger.carry_forward(every, now_us=rows.noon)

    assert ledger.spend(every[0], now_us=rows.noon) == {"x": Spend(cost=900, tokens=330, unpriced=0)}
    assert ledger.spend(every[1], now_us=rows.noon) == {"a": Spend(cost=300, tokens=110, unpriced=0)}
    [event] = ledger.reader.events(kind="budget_history_short")
    assert event.what == {"counted": every[1].text, "before": rows.noon - 9 * DAY_US}


def test_sums_of_periods_that_are_over_go(ledger: Ledger, rows: Rows) -> None:
    """A budget by the day keeps the days that may still be asked for."""
    counted = Counted(each="layer", period="day")
    for days in range(10):
        ledger.reserve(rows.reserved(f"call-{days}", at=rows.noon + days * DAY_US, layer="x"))
        ledger.settle(rows.settled(f"call-{days}")).wait()
        ledger.carry_forward([counted], now_us=rows.noon + days * DAY_US)
    with reading(engine_of(ledger)) as connection:
        kept = connection.execute(select(func.count()).select_from(budget_sums)).scalar_one()

    assert kept == 3
    assert ledger.spend(counted, now_us=rows.noon + 9 * DAY_US) == {"x": Spend(cost=300, tokens=110, unpriced=0)}


def test_a_call_on_the_wire_holds_up_what_came_after(tmp_path: Path, rows: Rows, clock: ManualClock) -> None:
    """A process that dies loses nothing: its orphans are counted although later calls had been settled before."""
    url, counted = f"sqlite:///{tmp_path / 'ledger.db'}", Counted(each="job")
    with Ledger.open(url, clock=clock) as ledger:
        ledger.reserve(rows.reserved("lost", job="a", cost=1_000))
        ledger.reserve(rows.reserved("done", job="a"))
        ledger.settle(rows.settled("done")).wait()
        ledger.carry_forward([counted], now_us=rows.noon)
    with Ledger.open(url, clock=clock) as ledger:
        assert ledger.spend(counted, now_us=rows.noon)["a"].cost == 1_300
        ledger.carry_forward([counted], now_us=rows.noon)
        assert ledger.spend(counted, now_us=rows.noon)["a"].cost == 1_300


def test_reading_carries_nothing_forward(tmp_path: Path, rows: Rows, clock: ManualClock) -> None:
    """A ledger that is open for reading gives the same answer and is not written to."""
    url, counted = f"sqlite:///{tmp_path / 'ledger.db'}", Counted(each="job")
    with Ledger.open(url, clock=clock) as ledger:
        spent(ledger, rows)
    with Ledger.open(url, clock=clock, writable=False) as ledger:
        ledger.carry_forward([counted], now_us=rows.noon)
        assert ledger.spend(counted, now_us=rows.noon)["a"].cost == 600


def test_an_erased_job_is_in_no_sum(ledger: Ledger, rows: Rows, clock: ManualClock) -> None:
    """Neither its name nor those of its runs are left, and budgets that named it begin anew."""
    spent(ledger, rows)
    every = [Counted(each="job"), Counted(each="run"), Counted(match=(("job", "a"),)), Counted(each="layer")]
    ledger.carry_forward(every, now_us=rows.noon)
    erase_job(engine_of(ledger), "a", clock=clock, by="ann")
    ledger.carry_forward(every, now_us=rows.noon)

    jobs, runs, named, layers = (ledger.spend(counted, now_us=rows.noon) for counted in every)
    assert jobs.keys() == {"b"}
    assert (runs, named) == ({}, {})
    assert layers["x"].cost == 300
