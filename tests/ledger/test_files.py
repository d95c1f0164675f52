"""Export and import: out of one ledger, into another."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.calls import Usage
from switchgear.errors import LedgerError
from switchgear.ledger import Ledger
from switchgear.ledger import export as exporting
from switchgear.ledger.columns import COLUMNS
from switchgear.ledger.export import attempts_in, export
from switchgear.ledger.import_files import ImportFileError
from switchgear.ledger.importing import import_attempts
from switchgear.ledger.retention import prune
from switchgear.ledger.verify import verify
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from tests.ledger.conftest import Rows

    from switchgear.ledger.export import Format
    from switchgear.ledger.importing import Imported

DAY_US = 86_400_000_000
NAMES = [column.name for column in COLUMNS]

Import = Callable[..., "Imported"]


def engine_of(ledger: Ledger) -> Engine:
    """Return what the tools work on."""
    return ledger._engine  # noqa: SLF001 - the tools work on the engine


def written(ledger: Ledger, format_: Format, since: int | None = None, until: int | None = None) -> bytes:
    """Return an export."""
    file = io.BytesIO()
    export(engine_of(ledger), file, format_, since=since, until=until)
    return file.getvalue()


def fill(ledger: Ledger, rows: Rows) -> None:
    """Record one attempt of every kind, with all that an attempt can have."""
    usage = Usage(input_tokens=90, output_tokens=20, cache_read_tokens=10, units=(("pages", 2),))
    call = {"job": 'a "b", c', "run": "r", "layer": "fit", "key": "k"}
    ledger.reserve(rows.reserved("one", tags=(("team", "röd\n"),), trace_id="t" * 32, **call))  # type: ignore[arg-type]  # one of each
    ledger.settle(rows.settled("one", usage=usage, model="gpt-5-2025", cost=1))
    ledger.reserve(rows.reserved("two", cost=None, model=None))
    ledger.settle(rows.settled("two", status="failed", cost=None, error="TimeoutError"))
    ledger.reserve(rows.reserved("two", attempt=2))
    ledger.settle(rows.settled("two", attempt=2, status="cancelled", cost=0))
    ledger.refuse(rows.refused("three", job="x")).wait()


@pytest.fixture
def into(tmp_path: Path) -> Import:
    """Import a text, as a file with this suffix, into a ledger."""

    def run(ledger: Ledger, text: bytes | str, suffix: str = ".csv") -> Imported:
        file = tmp_path / f"file{suffix}"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return import_attempts(engine_of(ledger), file, now_us=1, by="ann")

    return run


@pytest.fixture
def other(clock: ManualClock) -> Any:  # noqa: ANN401 - a generator
    """Another ledger in memory."""
    with Ledger.open("sqlite://", clock=clock) as opened:
        yield opened


@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet"])
def test_out_and_back_is_the_same_ledger(
    format_: Format, ledger: Ledger, other: Ledger, rows: Rows, into: Import
) -> None:
    """Rows, roll-ups and job totals of the importing ledger are those of the exporting one."""
    fill(ledger, rows)
    text = written(ledger, format_)

    done = into(other, text, f".{format_}")

    assert (done.added, done.known) == (4, 0)
    assert other.reader.calls().items == ledger.reader.calls().items
    assert other.reader.totals(by=("service", "model", "layer", "key", "status")) == ledger.reader.totals(
        by=("service", "model", "layer", "key", "status")
    )
    assert other.reader.job_totals() == ledger.reader.job_totals()
    assert verify(engine_of(other)).sound
    assert written(other, format_) == text


def test_twice_adds_nothing(ledger: Ledger, other: Ledger, rows: Rows, into: Import) -> None:
    """An attempt that is known stays as it is; a file that has one twice counts it once."""
    fill(ledger, rows)
    text = written(ledger, "jsonl")
    into(other, text + text, ".jsonl")
    before = other.reader.totals()

    done = into(other, text, ".jsonl")

    assert (done.added, done.known) == (0, 4)
    assert other.reader.totals() == before
    assert [event.what for event in other.reader.events()] == [{"attempts": 4, "by": "ann"}]


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_imports_add_up(rows: Rows, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever parts of an export come in whatever order, sums are right and nothing counts twice."""
    lines = [
        msgspec.json.encode(
            {
                **dict.fromkeys(NAMES),
                **dict.fromkeys((name for name in NAMES if name.endswith("tokens")), number),
                "call_id": f"call-{number % 7}",
                "attempt": 1 + number // 7,
                "started_at": f"2026-11-2{number % 4}T10:0{number}:00Z",
                "service": "s",
                "endpoint": "e",
                "job": [None, "", "j"][number % 3],
                "tags": {},
                "units": {},
                "status": ["ok", "refused", "failed", "orphaned"][number % 4],
                "cost_usd": None if number % 4 == 2 else f"0.00{number}",
                "streamed": False,
                "estimated": number % 4 == 3,
                "waited_us": number,
            }
        )
        for number in range(10)
    ]
    with Ledger.open("sqlite://", clock=ManualClock()) as ledger:
        for _ in range(3):
            chosen = data.draw(st.lists(st.sampled_from(lines)))
            file = tmp_path_factory.mktemp("import") / "part.jsonl"
            file.write_bytes(b"\n".join(chosen))
            import_attempts(engine_of(ledger), file, now_us=1, by="ann")

            assert verify(engine_of(ledger)).sound


def test_only_what_was_asked_for(ledger: Ledger, rows: Rows) -> None:
    """From is inclusive, to is not, and calls on the wire are left out, but counted."""
    for days in range(4):
        ledger.refuse(rows.refused(f"call-{days}", at=rows.noon + days * DAY_US))
    ledger.reserve(rows.reserved("flying", at=rows.noon + DAY_US)).wait()
    span = {"since": rows.noon + DAY_US, "until": rows.noon + 3 * DAY_US}

    ids = [row["call_id"] for row in map(json.loads, written(ledger, "jsonl", **span).splitlines())]

    assert ids == ["call-1", "call-2"]
    assert attempts_in(engine_of(ledger), since=span["since"], until=span["until"]) == (2, 1)
    assert written(ledger, "jsonl", since=rows.noon + 9 * DAY_US) == b""


def test_it_writes_page_by_page(ledger: Ledger, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pages there are, every attempt comes once, and progress is told for each page."""
    monkeypatch.setattr(exporting, "_PAGE", 3)
    for number in range(8):
        ledger.refuse(rows.refused(f"call-{number}")).wait()
    told: list[int] = []
    file = io.BytesIO()

    count = export(engine_of(ledger), file, "csv", progress=told.append)

    assert (count, told) == (8, [3, 3, 2])
    assert [row["call_id"] for row in csv.DictReader(file.getvalue().decode().splitlines())] == [
        f"call-{number}" for number in range(8)
    ]


def test_what_values_look_like(ledger: Ledger, rows: Rows) -> None:
    """Instants are RFC 3339, money is an exact decimal string, JSON is an object, nothing is empty text."""
    fill(ledger, rows)

    first, second = list(csv.DictReader(io.StringIO(written(ledger, "csv").decode())))[:2]

    assert first["started_at"] == "2025-11-25T12:00:00.000000Z"
    assert (first["cost_usd"], first["reserved_usd"], first["estimated"]) == ("0.000000001", "0.000001", "false")
    assert (first["tags"], first["units"]) == ('{"team":"röd\\n"}', '{"pages":2}')
    assert (second["cost_usd"], second["model"], second["error"]) == ("", "", "TimeoutError")


def test_parquet_without_its_package(ledger: Ledger, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow the error says what to install, and what needs nothing."""
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)

    with pytest.raises(LedgerError, match=r'pip install "switchgear\[parquet\]"; "csv" and "jsonl" need nothing'):
        written(ledger, "parquet")


def test_a_parquet_import_is_all_or_nothing(
    ledger: Ledger, other: Ledger, rows: Rows, into: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Garbage, other columns, a bad value, no file, no package: each is told, with its row, and nothing is imported."""
    parquet, arrow = import_module("pyarrow.parquet"), import_module("pyarrow")
    fill(ledger, rows)
    table = parquet.read_table(io.BytesIO(written(ledger, "parquet")))

    def as_file(made: Any) -> bytes:  # noqa: ANN401 - pyarrow has no types
        file = io.BytesIO()
        parquet.write_table(made, file)
        return file.getvalue()

    at = table.column_names.index("cost_usd")
    bad = table.set_column(at, "cost_usd", arrow.array(["0.1", "0.1", "much", "0.1"]))
    for text, why in [
        (b"PAR1 no PAR1", "is not Parquet"),
        (as_file(table.drop_columns(["call_id"])), r"missing: 'call_id'\)\. Valid: call_id"),
        (as_file(bad), "parquet:3: cost_usd: not an amount of USD such as 0.0125: 'much'"),
    ]:
        with pytest.raises(ImportFileError, match=why):
            into(other, text, ".parquet")
    with pytest.raises(ImportFileError, match="can't be read: No such file"):
        import_attempts(engine_of(other), Path("none.parquet"), now_us=1, by="ann")
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)
    with pytest.raises(ImportFileError, match=r'pip install "switchgear\[parquet\]"'):
        into(other, as_file(table), ".parquet")
    assert other.reader.calls().items == ()


def test_parquet_has_the_same_values(ledger: Ledger, rows: Rows) -> None:
    """The Parquet file has the columns and values of the CSV."""
    parquet = import_module("pyarrow.parquet")
    fill(ledger, rows)

    table = parquet.read_table(io.BytesIO(written(ledger, "parquet")))

    assert table.column_names == NAMES
    assert table.column("call_id").to_pylist() == ["one", "two", "two", "three"]
    assert table.column("cost_usd").to_pylist() == ["0.000000001", None, "0", "0"]


GOOD = {
    **dict.fromkeys(NAMES, ""),
    **dict.fromkeys([name for name in NAMES if name.endswith("tokens")], "0"),
    "call_id": "c",
    "attempt": "1",
    "started_at": "2026-11-24T10:00:00Z",
    "service": "s",
    "endpoint": "e",
    "tags": "{}",
    "units": "{}",
    "status": "ok",
    "streamed": "false",
    "estimated": "false",
    "waited_us": "0",
}


def line(**changed: str) -> str:
    """Return a CSV of one good line and one that is *changed*."""
    out = io.StringIO()
    table = csv.DictWriter(out, NAMES)
    table.writeheader()
    table.writerow(GOOD)
    table.writerow({**GOOD, "call_id": "d", **changed})
    return out.getvalue()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"started_at": "yesterday"}, r"csv:3: started_at: not an instant such as 2026"),
        ({"started_at": "2026-11-24T10:00:00"}, r"csv:3: started_at: not an instant"),
        ({"cost_usd": "1e5x"}, r"csv:3: cost_usd: not an amount of USD"),
        ({"cost_usd": "-1"}, r"csv:3: cost_usd: not an amount of USD"),
        ({"cost_usd": "0.0000000001"}, r"csv:3: cost_usd: not an amount of USD"),
        ({"input_tokens": "1.5"}, r"csv:3: input_tokens: not a whole number from 0 on: '1.5'"),
        ({"input_tokens": str(2**63)}, r"csv:3: input_tokens: not a whole number"),
        ({"status": "reserved"}, r"csv:3: status: not one of ok, failed, refused, cancelled, orphaned: 'reserved'"),
        ({"refused_by": "whim"}, r"csv:3: refused_by: not one of rate_limit, breaker, budget, skip, unpriced"),
        ({"estimated": "perhaps"}, r"csv:3: estimated: neither true nor false"),
        ({"tags": "[]"}, r"csv:3: tags: not a JSON object of its kind"),
        ({"units": '{"pages":"x"}'}, r"csv:3: units: not a JSON object of its kind"),
        ({"service": ""}, r"csv:3: service: is empty"),
    ],
)
def test_a_bad_value_is_told_and_nothing_is_imported(
    changed: dict[str, str], said: str, ledger: Ledger, into: Import
) -> None:
    """The error names the line, the column and what is valid; the good lines before it are not imported either."""
    with pytest.raises(ImportFileError, match=said):
        into(ledger, line(**changed))

    assert ledger.reader.calls().items == ()
    assert ledger.reader.totals()[0].calls == 0


@pytest.mark.parametrize(
    ("text", "suffix", "said"),
    [
        (
            "call_id,colour\n",
            ".csv",
            r"csv:1: other columns .*unknown: 'colour'; missing: 'attempt', .*Valid: call_id, at",
        ),
        ("", ".csv", r"csv:1: other columns than an export has \(missing: 'call_id'"),
        ("call_id,call_id\n", ".csv", r"twice: 'call_id'"),
        (",".join(NAMES) + "\na,b\n", ".csv", r"csv:2: has 2 columns, the first line has \d+"),
        (",".join(NAMES) + '\n"a"b,\n', ".csv", r"csv:2: is not CSV"),
        (b"\xff\xfe", ".csv", r"is not UTF-8 text"),
        ('{"call_id": 1', ".jsonl", r"jsonl:1: is not one JSON object"),
        ("[]", ".jsonl", r"jsonl:1: is not one JSON object"),
        ('{"colour": 1}', ".jsonl", r"jsonl:1: other columns .*unknown: 'colour'"),
    ],
)
def test_a_file_of_something_else(text: bytes | str, suffix: str, said: str, ledger: Ledger, into: Import) -> None:
    """A file that no export has written is refused with the list of valid columns, or why it can't be read."""
    with pytest.raises(ImportFileError, match=said):
        into(ledger, text, suffix)


def test_no_file(ledger: Ledger, tmp_path: Path) -> None:
    """A file that is not there is told as such."""
    with pytest.raises(ImportFileError, match=r"none\.csv: can't be read: No such file"):
        import_attempts(engine_of(ledger), tmp_path / "none.csv", now_us=1, by="ann")


def test_what_was_pruned_does_not_come_back(ledger: Ledger, rows: Rows, into: Import, clock: ManualClock) -> None:
    """Attempts from before the last pruning are refused: the sums have them already."""
    for days in (0, 9):
        ledger.refuse(rows.refused(f"call-{days}", at=rows.noon - days * DAY_US)).wait()
    text = written(ledger, "csv")
    prune(engine_of(ledger), before_us=rows.noon - 5 * DAY_US, counted=(), clock=clock, by="ann")

    with pytest.raises(ImportFileError, match=r"csv:\d: began before .* so it would count twice"):
        into(ledger, text)
    assert ledger.reader.totals()[0].calls == 2
