from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import psycopg
import pytest

from switchgear.cli.errors import OK, UNREACHABLE, USAGE
from switchgear.clock import SystemClock
from switchgear.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

CONFIG_TEXT = """\
[server]
port = 1
[ledger]
url = "{url}"
[services.openai]
prices = {{ "house" = {{ input = "1.00", output = "2.00" }} }}
"""


@pytest.fixture
def url(make_postgres: Callable[[], str], here: Path) -> str:
    """The URL of an empty schema, which the configuration names."""
    url = make_postgres()
    (here / "switchgear.toml").write_text(CONFIG_TEXT.format(url=url))
    return url


def test_a_ledger_that_is_not_there_yet(url: str, run: Run) -> None:
    """Doctor says that the first call makes it, what reads says that it is empty, and upgrade makes it."""
    assert "does not exist yet; the first call makes it" in run("doctor").out
    usage = run("usage")
    assert usage.code == UNREACHABLE
    assert "is empty" in usage.err
    assert json.loads(run("db", "current", "--json").out)["current"] is None

    assert run("db", "upgrade").code == OK
    shown = json.loads(run("db", "current", "--json").out)

    assert shown["current"] == shown["needed"]
    assert run("ledger", "verify").code == OK
    assert run("usage").code == OK


def test_an_older_schema_is_upgraded_when_nobody_writes(url: str, run: Run, postgres: str) -> None:
    """An older ledger says what to run; that is refused while a gateway writes, and its name is told."""
    with Ledger.open(url, clock=SystemClock()):
        busy = run("db", "upgrade")
        assert busy.code == UNREACHABLE
        assert "stop it first" in busy.err
    schema = url.rpartition("%3D")[2]
    with psycopg.connect(host=postgres, user="postgres", autocommit=True) as connection:
        connection.execute(f"UPDATE {schema}.alembic_version SET version_num = '0000'".encode())  # noqa: S608 - our own name

    refused = run("usage")

    assert refused.code == UNREACHABLE
    assert "run `switchgear db upgrade`" in refused.err


def test_a_copy_is_the_server_s_business(url: str, run: Run) -> None:
    """Backup and restore end with 2, and say what does it."""
    for command in (("ledger", "backup", "copy.db"), ("ledger", "restore", "copy.db", "--yes")):
        result = run(*command)
        assert result.code == USAGE
        assert "pg_dump" in result.err


def test_no_command_tells_the_password(here: Path, run: Run) -> None:
    """Where the server is not there, every command says so without what is secret in the address."""
    address = "postgresql+psycopg://me:hush@127.0.0.1:1/ledger"
    (here / "switchgear.toml").write_text(CONFIG_TEXT.format(url=address))

    for command in (("doctor",), ("db", "current"), ("db", "upgrade"), ("usage",), ("ledger", "verify")):
        result = run(*command)
        assert result.code != OK
        assert "no connection to the server" in result.out + result.err
        assert "hush" not in result.out + result.err
