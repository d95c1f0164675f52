from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

import switchgear.ledger
from switchgear.errors import LedgerError
from switchgear.ledger import migrate
from switchgear.ledger.home import home_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine


@pytest.fixture
def make(engine_kind: str, request: pytest.FixtureRequest) -> Iterator[Callable[[], Engine]]:
    """Return a function that opens an empty database."""
    with ExitStack() as stack:

        def make() -> Engine:
            url = "sqlite://" if engine_kind == "sqlite" else request.getfixturevalue("make_postgres")()
            engine = home_of(url).open()
            stack.callback(engine.dispose)
            return engine

        yield make


@pytest.fixture
def engine(make: Callable[[], Engine]) -> Engine:
    """An empty database."""
    return make()


def schema(engine: Engine) -> list[tuple[str, ...]]:
    """Return every table, column, key and index with its definition."""
    inspector = inspect(engine)
    found: list[tuple[str, ...]] = []
    for table in inspector.get_table_names():
        found += [
            (table, column["name"], str(column["type"]), str(column["nullable"]), str(column["default"]))
            for column in inspector.get_columns(table)
        ]
        found.append((table, "key", *inspector.get_pk_constraint(table)["constrained_columns"]))
        for index in inspector.get_indexes(table):
            where = [str(value) for value in index.get("dialect_options", {}).values()]
            found.append((table, str(index["name"]), str(index["column_names"]), str(index["unique"]), *where))
    return sorted(found)


def stamp(engine: Engine, version: str) -> None:
    """Pretend that the database has *version*."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


def test_a_new_ledger_equals_a_migrated_one(engine: Engine, make: Callable[[], Engine]) -> None:
    """Making the tables at once and migrating step by step end in the same schema."""
    migrate.check(engine)
    migrated = make()
    migrate.upgrade(migrated)

    assert schema(engine) == schema(migrated)
    assert migrate.current(engine) == migrate.current(migrated) == migrate.HEAD


def test_head_is_the_last_migration() -> None:
    """The constant that start-up compares with is the newest revision there is."""
    config = Config()
    config.set_main_option("script_location", str(Path(switchgear.ledger.__file__).with_name("migrations")))
    scripts = ScriptDirectory.from_config(config)

    assert scripts.get_heads() == [migrate.head()]
    assert all(script.revision.isdigit() for script in scripts.walk_revisions())


def test_checking_again_changes_nothing(engine: Engine) -> None:
    """A ledger of the right version is taken as it is."""
    migrate.check(engine)
    before = schema(engine)
    migrate.check(engine)
    migrate.upgrade(engine)

    assert schema(engine) == before


def test_an_older_ledger_asks_for_the_command(engine: Engine) -> None:
    """An older schema is not touched; the error says which command brings it up."""
    migrate.check(engine)
    stamp(engine, "0000")

    with pytest.raises(LedgerError, match=r"schema 0000 and this Switchgear needs \d+: run `switchgear db upgrade`"):
        migrate.check(engine)


@pytest.mark.parametrize("version", ["9999", "f00d"])
def test_a_newer_ledger_is_refused(engine: Engine, version: str) -> None:
    """A schema from the future is neither read nor upgraded."""
    migrate.check(engine)
    stamp(engine, version)

    with pytest.raises(LedgerError, match=f"schema {version}, written by a newer Switchgear"):
        migrate.check(engine)
    with pytest.raises(LedgerError, match="newer Switchgear"):
        migrate.upgrade(engine)


def test_another_database_is_left_alone(engine: Engine) -> None:
    """A database of some other program gets no tables of ours."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE recipes (name TEXT)"))

    with pytest.raises(LedgerError, match="a database of something else"):
        migrate.check(engine)
    assert {name for name, *_ in schema(engine)} == {"recipes"}


def test_reading_an_empty_database_makes_nothing(engine: Engine) -> None:
    """Whoever only reads gets an error for an empty database."""
    with pytest.raises(LedgerError, match="is empty"):
        migrate.check(engine, create=False)
    assert schema(engine) == []
