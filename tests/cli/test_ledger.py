from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from switchgear.clients.governor import Governor
from switchgear.clock import SystemClock
from switchgear.config import load
from switchgear.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


def corrupt(folder: Path, statement: str) -> None:
    """Do to the ledger in *folder* what no writer does."""
    with closing(sqlite3.connect(folder / "switchgear.db")) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_sound_ledger(filled: Path, run: Run) -> None:
    """All is well: that is one sentence and exit code 0."""
    result = run("ledger", "verify")

    assert (result.code, result.out) == (0, "")
    assert result.err == "4 attempts against 7 roll-ups and job totals.\nEvery sum is right.\n"


def test_wrong_sums_are_listed_and_repaired(filled: Path, run: Run) -> None:
    """Exit code 3 with each group and sum that is wrong; repaired it is 0 again."""
    corrupt(filled, "UPDATE rollups SET calls = calls + 1 WHERE status = 'failed'")

    result = run("ledger", "verify")
    as_json = run("ledger", "verify", "--json")

    assert result.code == as_json.code == 3
    assert result.out.splitlines()[1].split() == [
        *(
            "rollups",
            "bucket_start=2026-11-24T12:00:00Z",
            "service=geocoder",
            "model=",
            "layer=",
            "key=",
            "status=failed",
        ),
        *("calls", "2", "1"),
    ]
    assert "Repair them: switchgear ledger verify --repair" in result.err
    [difference] = json.loads(as_json.out)["differences"]
    assert (difference["expected"], difference["found"]) == ({"calls": 1}, {"calls": 2})
    mended = run("ledger", "verify", "--repair")
    assert (mended.code, "1 groups were wrong and are right now." in mended.err) == (0, True)
    assert run("ledger", "verify").code == 0


def test_repair_wants_the_ledger_alone(filled: Path, run: Run) -> None:
    """While a server writes, the sums can be looked at; for repairing and importing the error names the process."""
    with Governor(load(filled / "switchgear.toml", environ={})):
        assert run("ledger", "verify").code == 0
        for words in (("verify", "--repair"), ("import", "x.csv")):
            result = run("ledger", *words)
            assert (result.code, "is in use by process" in result.err) == (4, True)


def test_after_pruning_not_all_can_be_repaired(filled: Path, run: Run) -> None:
    """What only pruned attempts could tell stays wrong, and is said to."""
    corrupt(filled, "UPDATE attempts SET started_at = started_at - 40 * 86400000000")
    run("ledger", "verify", "--repair")
    run("ledger", "prune", "--before", "2026-11", "--yes")
    corrupt(filled, "UPDATE job_totals SET calls = 9 WHERE job = 'acme'")

    result = run("ledger", "verify", "--repair")

    assert result.code == 3
    assert "0 groups repaired; 1 can't be: their attempts were pruned." in result.err


def test_export_and_import(filled: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export to a file can be imported into a new ledger, and again without effect."""
    assert run("ledger", "export", "--out", "all.csv") == (0, "", "4 attempts exported to all.csv.\n")
    monkeypatch.setenv("SWITCHGEAR_LEDGER__URL", "sqlite:///other.db")

    first, second = run("ledger", "import", "all.csv"), run("ledger", "import", "all.csv", "--json")

    assert first == (0, "", "4 attempts added; 0 were in the ledger already.\n")
    assert json.loads(second.out) == {"added": 0, "known": 4}
    assert run("ledger", "verify").code == 0


def test_export_to_standard_output(filled: Path, run: Run) -> None:
    """Without a file the data go to standard output, and the message to standard error."""
    result = run("ledger", "export", "--format", "jsonl", "--from", "2026-11-24", "--to", "2026-11-24")

    assert [json.loads(line)["service"] for line in result.out.splitlines()] == ["openai"] * 3 + ["geocoder"]
    assert result.err == "4 attempts exported.\n"
    assert run("ledger", "export", "--from", "2026-12").out.count("\n") == 1


def test_calls_on_the_wire_are_told(filled: Path, run: Run) -> None:
    """What is not over is not exported, and that is said."""
    corrupt(filled, "UPDATE attempts SET status = 'reserved' WHERE status = 'failed'")

    assert "1 calls on the wire were left out" in run("ledger", "export").err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("export", "--from", "yesterday"),
            "--from: 'yesterday' is not a date, a month or an instant, such as 2026-11-24",
        ),
        (("export", "--from", "2026-11-24", "--to", "2026-11-23"), "--to: '2026-11-23' is not after from=2026-11-24"),
        (("export", "--format", "xml"), "'xml' is not one of 'csv', 'jsonl', 'parquet'"),
        (("export", "--out", "switchgear.toml"), "switchgear.toml: exists already, and is left as it is"),
        (("export", "--out", "no/where.csv"), "no/where.csv: can't be written: No such file or directory"),
        (("import", "none.csv"), "none.csv: can't be read: No such file or directory"),
        (("import", "switchgear.toml"), "other columns than an export has"),
        (("prune", "--before", "soon"), "--before: 'soon' is not a date"),
        (("prune", "--before", "2999-01-01"), "--before: '2999-01-01' is too new: daily limits need the last two days"),
        (("backup", "switchgear.toml"), "switchgear.toml: exists already, and is left as it is"),
        (("restore", "none.db"), "newer calls will be missing. Say so with --yes."),
        (("erase",), "Missing option '--job'"),
        (("erase", "--job", "acme"), "All that tells of job acme will be removed from the ledger. Say so with --yes."),
    ],
)
def test_bad_input(words: tuple[str, ...], said: str, filled: Path, run: Run) -> None:
    """What can't be done as said is exit code 2, with what is valid."""
    result = run("ledger", *words)

    assert result.code == 2
    assert said.replace("=2026", "='2026") in result.err.replace("=2026", "='2026")


def test_prune(filled: Path, run: Run) -> None:
    """A dry run only counts; without --yes nobody is asked where nobody can answer; sums stay."""
    corrupt(filled, "UPDATE attempts SET started_at = started_at - 400 * 86400000000")
    dry = run("ledger", "prune", "--dry-run", "--json")
    refused = run("ledger", "prune")
    done = run("ledger", "prune", "--yes")

    assert json.loads(dry.out)["attempts"] == 3
    assert (refused.code, "3 attempts from before" in refused.err) == (2, True)
    assert "3 attempts from before" in done.err
    assert "every sum stays, of budgets too." in done.err
    assert len(json.loads(run("calls", "list", "--json").out)["items"]) == 1


def test_backup_and_restore(filled: Path, run: Run) -> None:
    """The messages say what was done and how to undo it."""
    made = run("ledger", "backup", "copy.db")
    run("ledger", "erase", "--job", "acme", "--yes")
    back = run("ledger", "restore", "copy.db", "--yes")

    assert "Back again: switchgear ledger restore copy.db --yes" in made.err
    assert "The ledger has 4 attempts. The old one: " in back.err
    assert len(json.loads(run("calls", "list", "--job", "acme", "--json").out)["items"]) == 2


def test_erase(filled: Path, run: Run) -> None:
    """A job is gone, the sums are not; the second time there is nothing to do."""
    first = run("ledger", "erase", "--job", "acme", "--yes")
    second = run("ledger", "erase", "--job", "acme", "--yes")

    assert first.err.startswith("2 attempts belong to no job now, 1 totals were added to those of no job")
    assert second.err == "The ledger knows no job acme; nothing was changed.\n"
    assert run("ledger", "verify").code == 0
    as_json = run("ledger", "erase", "--job", "tiny-1", "--yes", "--json")
    assert json.loads(as_json.out) == {"attempts": 1, "job_totals": 1, "events": 0}


@pytest.mark.parametrize("words", [("verify",), ("export",), ("prune", "--yes"), ("backup", "x.db")])
def test_no_ledger_yet(words: tuple[str, ...], here: Path, run: Run) -> None:
    """Without a ledger nothing is made: exit code 4."""
    result = run("ledger", *words)

    assert (result.code, "does not exist yet" in result.err) == (4, True)
    assert list(here.iterdir()) == []


def test_the_schema(filled: Path, run: Run) -> None:
    """`db current` says which schema there is and which is needed; `db upgrade` has nothing to do."""
    current = json.loads(run("db", "current", "--json").out)

    assert current["current"] == current["needed"]
    assert f"schema {current['needed']}; this program needs {current['needed']}" in run("db", "current").out
    assert run("db", "upgrade").err == f"The ledger has schema {current['needed']} already; nothing was changed.\n"


def test_an_upgrade(filled: Path, run: Run) -> None:
    """An empty database, such as a file that was only touched, is given the schema of the program."""
    (filled / "switchgear.db").unlink()
    (filled / "switchgear.db").touch()

    result = json.loads(run("db", "upgrade", "--json").out)

    assert (result["before"], result["current"]) == (None, json.loads(run("db", "current", "--json").out)["needed"])
    with Ledger.open("sqlite:///switchgear.db", clock=SystemClock(), writable=False) as ledger:
        assert ledger.reader.calls().items == ()


def test_a_newer_ledger_is_not_touched(filled: Path, run: Run) -> None:
    """A ledger that a newer program has written is left alone."""
    corrupt(filled, "UPDATE alembic_version SET version_num = '9999'")

    result = run("db", "upgrade")

    assert (result.code, "written by a newer Switchgear" in result.err) == (4, True)


def test_nobody_upgrades_under_a_server(filled: Path, run: Run) -> None:
    """While a server writes, the schema stays what it is."""
    with Governor(load(filled / "switchgear.toml", environ={})):
        assert run("db", "upgrade").code == 4


def test_a_restored_ledger_where_there_was_none(filled: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies tell their size and attempts as JSON too; a new ledger has no previous one."""
    made = json.loads(run("ledger", "backup", "copy.db", "--json").out)
    monkeypatch.setenv("SWITCHGEAR_LEDGER__URL", "sqlite:///new.db")

    assert made == {"file": "copy.db", "bytes": (filled / "copy.db").stat().st_size}
    assert run("ledger", "restore", "copy.db", "--yes").err == "The ledger has 4 attempts.\n"
    back = json.loads(run("ledger", "restore", "copy.db", "--yes", "--json").out)
    assert back["attempts"] == 4
    assert back["previous"].startswith(f"{filled}/new.db.before-restore-")


def test_parquet_needs_a_package(filled: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is said before anything is written: exit code 2."""
    monkeypatch.setattr("switchgear.ledger.export.find_spec", lambda name: None)

    result = run("ledger", "export", "--format", "parquet", "--out", "x.parquet")

    assert (result.code, "pip install" in result.err) == (2, True)
    assert not (filled / "x.parquet").exists()


@pytest.mark.parametrize(("error", "code"), [(OSError(28, "No space left on device"), 2), (KeyboardInterrupt(), 130)])
def test_half_an_export_is_removed(
    error: BaseException, code: int, filled: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk or Ctrl-C leaves no file that looks like an export."""

    def fail(*_: object, **__: object) -> int:
        raise error

    monkeypatch.setattr("switchgear.ledger.export.export", fail)

    assert run("ledger", "export", "--out", "all.csv").code == code
    assert not (filled / "all.csv").exists()
