from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from switchgear.errors import LedgerError
from switchgear.ledger.engine import ledger_path, open_engine, reading, translated
from switchgear.ledger.faults import concerns_storage, explain

if TYPE_CHECKING:
    from pathlib import Path

    from switchgear.ledger.engine import Durability


def test_a_ledger_has_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL names a file, relative to the working folder, or memory."""
    monkeypatch.chdir(tmp_path)

    assert ledger_path("sqlite:///a.db") == tmp_path.resolve() / "a.db"
    assert ledger_path(f"sqlite:///{tmp_path}/b.db") == tmp_path.resolve() / "b.db"
    assert ledger_path("sqlite://") is None
    assert ledger_path("sqlite:///:memory:") is None


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://db/ledger", "can't be kept in 'mysql'"),
        ("ledger.db", "not a URL"),
        ("sqlite:///no/such/folder/ledger.db", "its folder does not exist"),
        ("sqlite:////", "that is a folder"),
    ],
)
def test_a_bad_place_is_named(url: str, says: str) -> None:
    """What can't be a ledger is refused in one line, without the password of the URL."""
    with pytest.raises(LedgerError, match=says) as raised:
        open_engine(url)

    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_another_file_is_not_a_ledger(tmp_path: Path) -> None:
    """A file that is no database is left alone and named."""
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear reader, " * 100)

    with pytest.raises(LedgerError, match=r"letter\.txt: the file is not a database"):
        open_engine(f"sqlite:///{letter}")
    assert letter.read_text().startswith("Dear reader")


def test_a_file_that_cannot_be_made_is_named() -> None:
    """Where no file can be made the error says which one it was."""
    with pytest.raises(LedgerError, match=r"/proc/switchgear\.db: the file can't be opened"):
        open_engine("sqlite:////proc/switchgear.db")


def test_reading_makes_no_file(tmp_path: Path) -> None:
    """Opening for reading needs a ledger that is there."""
    with pytest.raises(LedgerError, match="does not exist yet"):
        open_engine(f"sqlite:///{tmp_path / 'none.db'}", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_reading_cannot_write(tmp_path: Path) -> None:
    """An engine for reading refuses to write, with the words of the house."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    open_engine(url).dispose()
    engine = open_engine(url, read_only=True)

    with pytest.raises(LedgerError, match="read-only"), reading(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE a (b INTEGER)")
    engine.dispose()


def test_a_name_may_have_any_letters(tmp_path: Path) -> None:
    """Letters that mean something in a URI are part of the name."""
    open_engine(f"sqlite:///{tmp_path}/a #1 100%.db").dispose()

    assert [file.name for file in tmp_path.iterdir()] == ["a #1 100%.db"]


@pytest.mark.parametrize(("durability", "synchronous"), [("process", 1), ("power", 2)])
def test_durability_is_set(tmp_path: Path, durability: Durability, synchronous: int) -> None:
    """``process`` syncs at checkpoints, ``power`` at every commit; both keep a write-ahead log."""
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}", durability=durability)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == synchronous
    engine.dispose()


def test_memory_is_shared_by_connections_only() -> None:
    """Connections of one engine see the same database in memory; another engine has its own."""
    one, other = open_engine("sqlite://"), open_engine("sqlite://")
    with one.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE a (b INTEGER)")
    with one.connect() as first, one.connect() as second, other.connect() as third:
        tables = [
            each.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one() for each in (first, second, third)
        ]
    one.dispose()
    other.dispose()

    assert tables == [1, 1, 0]


def test_errors_below_are_translated() -> None:
    """An error of the driver itself leaves as one of ours as well."""
    engine = open_engine("sqlite://")
    with (
        closing(engine.raw_connection()) as pooled,
        pytest.raises(LedgerError, match="in memory: no such table"),
        translated(engine),
    ):
        pooled.cursor().execute("SELECT 1 FROM nowhere")
    engine.dispose()


def test_faults_are_told_from_bad_records() -> None:
    """A disk is to blame for all of a batch, a constraint only for a row."""
    assert concerns_storage(sqlite3.OperationalError("database or disk is full"))
    assert not concerns_storage(sqlite3.IntegrityError("UNIQUE constraint failed"))
    assert not concerns_storage(OverflowError("too large"))


def test_an_explained_error_stays_as_it_is() -> None:
    """Explaining twice adds nothing."""
    error = explain(sqlite3.OperationalError("odd"), name=None)

    assert str(error) == "the ledger in memory: odd"
    assert explain(error, name="/a.db") is error
