"""Reports of whole traces, replayed through the gate, against arithmetic that shares nothing with the product.

One trace is generated: forty days over both ends of October, with the change of clocks. The two
real ones of the Azure study (an hour of 2023 each) are taken as well where they lie beside the repository.
"""

from __future__ import annotations

import csv
import datetime as dt
import os
import random
from collections import defaultdict
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from switchgear.clients.governor import Governor
from switchgear.config import load_text
from switchgear.insight.questions import Span, read_span
from switchgear.insight.reports import CostReport, Parts, cost_report
from switchgear.ledger import Ledger
from switchgear.ledger.access import looking
from switchgear.ledger.verify import verify
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER: Final = Path(os.environ.get("SWITCHGEAR_TRACES") or Path(__file__).parents[3] / "shared" / "data")
REAL: Final = sorted(FOLDER.glob("azure_llm_trace_*.csv"))
ZONES: Final = ("UTC", "Europe/Vienna", "Asia/Kathmandu")

# USD a million tokens in and out; the second does not come out even in nano-USD, the last has none.
PRICES: Final = {"big": ("2.50", "10.00"), "odd": ("0.0333", "0.1237"), "unknown": None}
CONFIG: Final = """
[ledger]
url = "sqlite:///{folder}/ledger.db"

[services.llm]
kind = "http"
unpriced = "allow"
limits = {{ requests_per_minute = 1000000 }}
prices = {{ "big" = {{ input = "2.50", output = "10.00" }}, "odd" = {{ input = "0.0333", output = "0.1237" }} }}
"""


class Line(NamedTuple):
    """One call of a trace."""

    at: dt.datetime
    model: str
    tokens_in: int
    tokens_out: int


Trace = tuple[list[Line], Ledger]


class Sums(NamedTuple):
    """What a day or a month came to."""

    calls: int
    tokens_in: int
    tokens_out: int
    cost: Decimal
    unpriced: int


def read(file: Path) -> list[Line]:
    """Return the calls of a trace in a CSV file, every seventh of which has another price, every fiftieth none."""
    lines = []
    with file.open(encoding="utf-8") as text:
        for number, row in enumerate(csv.DictReader(text)):
            model = "unknown" if number % 50 == 0 else "odd" if number % 7 == 0 else "big"
            at = dt.datetime.fromisoformat(row["TIMESTAMP"][:26]).replace(tzinfo=dt.UTC)
            lines.append(Line(at, model, int(row["ContextTokens"]), int(row["GeneratedTokens"])))
    return lines


def generate(file: Path) -> Path:
    """Write a trace of 2,000 calls from 2026-09-25 to 2026-11-04, thick around every midnight and change of clocks."""
    chance = random.Random(4)
    start = dt.datetime(2026, 9, 25, tzinfo=dt.UTC)
    instants = [start + dt.timedelta(seconds=chance.uniform(0, 40 * 86_400)) for _ in range(1_600)]
    for day in (dt.datetime(2026, 10, 1), dt.datetime(2026, 10, 25), dt.datetime(2026, 11, 1)):  # noqa: DTZ001 - local
        for zone in ZONES:
            edge = day.replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)
            instants += [edge + dt.timedelta(seconds=chance.uniform(-7_200, 7_200)) for _ in range(44)]
            instants += [edge, edge - dt.timedelta(microseconds=1)]
    with file.open("w", encoding="utf-8", newline="") as text:
        table = csv.writer(text)
        table.writerow(["TIMESTAMP", "ContextTokens", "GeneratedTokens"])
        for at in sorted(instants):
            told = at.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
            table.writerow([told, chance.randrange(1, 8_000), chance.randrange(1, 900)])
    return file


def expected(lines: list[Line], cut: Callable[[dt.datetime], str]) -> dict[str, Sums]:
    """Return the sums by what *cut* makes of an instant: plain Decimal, each call rounded once to nano-USD."""
    found: dict[str, Sums] = defaultdict(lambda: Sums(0, 0, 0, Decimal(0), 0))
    for line in lines:
        before = found[cut(line.at)]
        price = PRICES[line.model]
        cost = Decimal(0)
        if price is not None:
            exact = (line.tokens_in * Decimal(price[0]) + line.tokens_out * Decimal(price[1])) / 1_000_000
            cost = exact.quantize(Decimal("1e-9"), rounding=ROUND_HALF_EVEN)
        found[cut(line.at)] = Sums(
            before.calls + 1,
            before.tokens_in + line.tokens_in,
            before.tokens_out + line.tokens_out,
            before.cost + cost,
            before.unpriced + (price is None),
        )
    return dict(found)


def replay(lines: list[Line], folder: Path) -> Ledger:
    """Send every call through the gate at its own time; return the ledger, open for reading."""
    clock = ManualClock(lines[0].at.timestamp())
    config = load_text(CONFIG.format(folder=folder), environ={})
    with Governor(config, clock=clock) as gov:
        for line in lines:
            clock.set_wall(line.at.timestamp())
            with gov.call(
                "llm", model=line.model, input_tokens=line.tokens_in, max_output_tokens=line.tokens_out
            ) as call:
                call.used(input_tokens=line.tokens_in, output_tokens=line.tokens_out)
    url = f"sqlite:///{folder}/ledger.db"
    with looking(url) as engine:
        assert verify(engine).sound
    return Ledger.open(url, clock=clock, writable=False)


@pytest.fixture(scope="module", params=["generated", *(file.name for file in REAL)])
def trace(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[list[Line], Ledger]]:
    """A trace, and the ledger that has it."""
    folder = tmp_path_factory.mktemp("trace")
    lines = read(generate(folder / "made.csv") if request.param == "generated" else FOLDER / request.param)
    with replay(lines, folder) as ledger:
        yield lines, ledger


def report(ledger: Ledger, span: Span, zone: ZoneInfo) -> CostReport:
    """Return the cost report of *span*."""
    parts = Parts.of(("model",), most=None)
    return cost_report(ledger.reader.usage, span, period="", parts=parts, zone=zone, providers={}, now=0)


def sums(row: Any) -> Sums:  # noqa: ANN401 - a total, or a line of a series
    """Return what the product says."""
    return Sums(row.calls, row.input_tokens, row.output_tokens, row.cost_usd, row.unpriced)


@pytest.mark.parametrize("zone", [ZoneInfo(name) for name in ZONES], ids=ZONES)
def test_reports_of_days_and_months_are_those_of_plain_arithmetic(trace: Trace, zone: ZoneInfo) -> None:
    """Every month, its days, and every day alone: calls, tokens, USD to the ninth digit, unpriced calls."""
    lines, ledger = trace
    days = expected(lines, lambda at: f"{at.astimezone(zone):%Y-%m-%d}")
    months = expected(lines, lambda at: f"{at.astimezone(zone):%Y-%m}")

    for month, wanted in months.items():
        made = report(ledger, read_span(month, month, zone), zone)
        assert sums(made.total) == wanted
        assert {item.label: sums(item) for item in made.series if item.calls} == {
            day: one for day, one in days.items() if day.startswith(month)
        }
    for day, wanted in days.items():
        made = report(ledger, read_span(day, day, zone), zone)
        assert sums(made.total) == wanted
        assert sum(item.cost_usd for item in made.series) == wanted.cost
        assert sum(row.cost_usd for row in made.parts[0].rows) == wanted.cost


def test_the_whole_is_the_whole(trace: Trace) -> None:
    """Each model's sum over all of the trace, from the roll-ups and from the calls themselves."""
    lines, ledger = trace
    for model in PRICES:
        own = [line for line in lines if line.model == model]
        (wanted,) = expected(own, lambda _: "all").values()
        (found,) = [one for one in ledger.reader.totals(by=("model",)) if one.group["model"] == model]
        assert (found.calls, found.input_tokens, found.output_tokens) == wanted[:3]
        assert (Decimal(found.cost) / 10**9, found.unpriced) == wanted[3:]
