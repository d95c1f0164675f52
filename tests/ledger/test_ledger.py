from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from switchgear.errors import LedgerError
from switchgear.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ledger.conftest import Rows

    from switchgear.testing import ManualClock

CRASH = """
import sys
from switchgear.calls import Attribution, Call, Usage
from switchgear.clock import SystemClock
from switchgear.ledger import Ledger
from switchgear.ledger.rows import AttemptReserved
ledger = Ledger.open(sys.argv[1], clock=SystemClock())
for number in range(20):
    call = Call(id=f"call-{number}", service="openai", endpoint="/v1", attribution=Attribution(job="acme"),
                bound=Usage(input_tokens=10, output_tokens=5))
    ledger.reserve(AttemptReserved(call=call, cost=160, price_version=None, started_at=1, waited_us=0)).wait()
print("reserved", flush=True)
sys.stdin.read()
"""


def loaded(code: str) -> set[str]:
    """Return the modules that are loaded after *code* in a new interpreter."""
    script = f"import sys\n{code}\nprint(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(answer.stdout.split())


def test_nothing_is_forgotten_by_kill_9(tmp_path: Path, clock: ManualClock) -> None:
    """Attempts that were reserved when the process was killed are there, and count at their reserved cost."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with subprocess.Popen([sys.executable, "-c", CRASH, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"reserved\n"
        with pytest.raises(LedgerError, match=f"in use by process {process.pid}"):
            Ledger.open(url, clock=clock)
        with Ledger.open(url, clock=clock, writable=False) as watcher:
            assert watcher.reader.open_calls() == 20
        process.kill()

    with Ledger.open(url, clock=clock) as ledger:
        rows = ledger.reader.calls().items
        spend = ledger.spend(since_us=0, match={"service": "openai"}, each="job")

    assert ledger.orphans == 20
    assert {row.status for row in rows} == {"orphaned"}
    assert [(job, sums.cost, sums.tokens) for job, sums in spend.items()] == [("acme", 20 * 160, 20 * 15)]


def test_readers_see_what_a_writer_writes(tmp_path: Path, clock: ManualClock, rows: Rows) -> None:
    """A ledger opened for reading follows the writer, settles nothing and can't write."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with Ledger.open(url, clock=clock) as writer, Ledger.open(url, clock=clock, writable=False) as reader:
        writer.reserve(rows.reserved()).wait()

        assert reader.orphans == 0
        assert [row.status for row in reader.reader.call("call-1")] == ["reserved"]
        assert (writer.healthy, reader.healthy, writer.outage, reader.outage) == (True, False, None, None)
        with pytest.raises(LedgerError, match="reading only"):
            reader.reserve(rows.reserved("call-2"))


def test_reading_needs_a_ledger(tmp_path: Path, clock: ManualClock) -> None:
    """Opening for reading makes neither a file nor a lock."""
    with pytest.raises(LedgerError, match="does not exist yet"):
        Ledger.open(f"sqlite:///{tmp_path / 'none.db'}", clock=clock, writable=False)
    assert list(tmp_path.iterdir()) == []


def test_closing_lets_the_next_one_in(tmp_path: Path, clock: ManualClock, rows: Rows) -> None:
    """A closed ledger is free again, takes nothing more, and may be closed again."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    first = Ledger.open(url, clock=clock)
    first.close()
    first.close()
    with Ledger.open(url, clock=clock) as second:
        second.reserve(rows.reserved()).wait()
    with pytest.raises(LedgerError, match="closed"):
        first.reserve(rows.reserved())


def test_a_failed_opening_holds_nothing(tmp_path: Path, clock: ManualClock) -> None:
    """When the file turns out to be no ledger, its lock is given back."""
    path = tmp_path / "ledger.db"
    path.write_text("Dear reader, " * 100)
    with pytest.raises(LedgerError, match="not a database"):
        Ledger.open(f"sqlite:///{path}", clock=clock)
    path.unlink()

    Ledger.open(f"sqlite:///{path}", clock=clock).close()


def test_a_damaged_ledger_is_told(tmp_path: Path, clock: ManualClock, rows: Rows) -> None:
    """Damage is a LedgerError in one line, when reading as well."""
    path = tmp_path / "ledger.db"
    with Ledger.open(f"sqlite:///{path}", clock=clock) as ledger:
        ledger.reserve(rows.reserved()).wait()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))

    with pytest.raises(LedgerError, match="damaged") as raised:
        Ledger.open(f"sqlite:///{path}", clock=clock)
    assert "\n" not in str(raised.value)


def test_importing_is_cheap() -> None:
    """Importing the room loads no SQLAlchemy; opening a new ledger loads no Alembic."""
    assert not loaded("import switchgear.ledger") & {"sqlalchemy", "alembic"}
    opened = loaded(
        "from switchgear.ledger import Ledger\nfrom switchgear.clock import SystemClock\n"
        "Ledger.open('sqlite://', clock=SystemClock()).close()"
    )
    assert "sqlalchemy" in opened
    assert "alembic" not in opened
