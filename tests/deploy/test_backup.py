"""Backup, upgrade, rollback and restore, run through once as docs/deployment.md has them, on real servers."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest
from alembic import command

from switchgear.clock import SystemClock
from switchgear.drills.asking import Client
from switchgear.drills.process import ServerProcess
from switchgear.drills.sandbox import Sandbox
from switchgear.ledger import migrate
from switchgear.ledger.home import home_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

CONFIG = """
[server]
port = 0

[ledger]
url = "sqlite:///{folder}/ledger.db"

[services.llm]
kind = "openai"
base_url = "{url}"
limits = {{ requests_per_minute = 100000 }}
prices = {{ "drill" = {{ input = "1", output = "2" }} }}

[[budgets]]
name = "all"
limit_usd = "1"
"""


class Site:
    """A folder with a configuration and a ledger, and the commands that an operator types in it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.config = folder / "switchgear.toml"
        self.config.write_text(CONFIG.format(folder=folder, url=url), encoding="utf-8")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command; what it prints is the caller's to look at."""
        whole = [sys.executable, "-m", "switchgear", *arguments, "--config", str(self.config)]
        return subprocess.run(whole, capture_output=True, text=True, check=False, cwd=self.folder)

    def must(self, *arguments: str) -> str:
        """Run a command that has to succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Run the server and yield its URL."""
        with ServerProcess(config=self.config, log=self.folder / "log", clock=SystemClock()) as server:
            yield server.url

    def call(self, url: str, count: int) -> None:
        """Make calls that go well."""
        with Client(url, SystemClock()) as client:
            assert all(client.ask().is_ok for _ in range(count))


def spent(url: str) -> str:
    """Return what the budget has spent."""
    found: str = httpx2.get(f"{url}/api/budgets", trust_env=False).json()["items"][0]["spent_usd"]
    return found


@pytest.fixture
def site(tmp_path: Path, sandbox: Sandbox) -> Site:
    """An empty site."""
    return Site(tmp_path, sandbox.url)


def test_a_backup_taken_while_it_runs_brings_back_what_was(site: Site) -> None:
    """After the ledger is gone the restored one has every call until the backup, and the budget knows them."""
    with site.serving() as url:
        site.call(url, 3)
        site.must("ledger", "backup", "backup.db")
        then = spent(url)
        site.call(url, 2)
    for file in site.folder.glob("ledger.db*"):
        file.unlink()

    site.must("ledger", "restore", "backup.db", "--yes")
    site.must("ledger", "verify")
    with site.serving() as url:
        assert spent(url) == then
        site.call(url, 1)


def test_an_older_ledger_is_upgraded_by_a_command_and_a_newer_one_is_rolled_back_by_its_backup(site: Site) -> None:
    """The server refuses an older schema, the upgrade keeps the calls, and the backup from before still restores."""
    with site.serving() as url:
        site.call(url, 3)
        then = spent(url)
    older(site)
    refused = site.run("serve")
    assert refused.returncode != 0
    assert "switchgear db upgrade" in refused.stderr
    shutil.copy(site.folder / "ledger.db", site.folder / "before-upgrade.db")  # what the older version backs up

    site.must("db", "upgrade")
    site.must("ledger", "verify")
    with site.serving() as url:
        assert spent(url) == then
        site.call(url, 2)

    # The version that made a backup restores it; this one leaves everything as it is, and says so.
    restored = site.run("ledger", "restore", "before-upgrade.db", "--yes")
    assert restored.returncode != 0
    assert "has schema 0003" in restored.stderr
    with site.serving() as url:
        assert spent(url) != then
    shutil.copy(site.folder / "before-upgrade.db", site.folder / "ledger.db")  # what the older version restores
    site.must("db", "upgrade")
    with site.serving() as url:
        assert spent(url) == then


def older(site: Site) -> None:
    """Give the site's ledger the schema that the version before this one had, with all its rows."""
    newest, path = site.folder / "ledger.db", site.folder / "older.db"
    config = migrate._alembic_config()  # noqa: SLF001 - no user takes a schema back, so there is no way for it
    engine = home_of(f"sqlite:///{path}").open()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head-1")
    engine.dispose()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS newest", (str(newest),))
        tables = connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            if table != "alembic_version":
                had, has = (
                    {row[1] for row in connection.execute(f"PRAGMA {schema}.table_info({table})")}
                    for schema in ("main", "newest")
                )
                columns = ", ".join(sorted(had & has))
                copy = f"INSERT OR REPLACE INTO main.{table} ({columns}) SELECT {columns} FROM newest.{table}"  # noqa: S608 - names of our own schema
                connection.execute(copy)
    for file in site.folder.glob("ledger.db*"):
        file.unlink()
    path.rename(newest)
