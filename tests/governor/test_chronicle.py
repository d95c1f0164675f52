from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from switchgear.clients.governor import Governor
from switchgear.config import load_text
from switchgear.errors import LedgerError
from switchgear.governor.chronicle import note_config, settings_of, user
from switchgear.ledger import Ledger
from switchgear.ledger.trail import TrailReader
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from switchgear.ledger.views import EventRow

CONFIG = """
[ledger]
url = "sqlite:///{folder}/ledger.db"

[services.llm]
kind = "openai"
base_url = "https://me:hunter2@example.com/v1"
limits = {{ requests_per_minute = {limit} }}

[[budgets]]
name = "all"
limit_usd = "{usd}"
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., None]:
    """Return a function that starts and stops a process with these settings."""

    def run(*, limit: int = 10, usd: str = "1") -> None:
        text = CONFIG.format(folder=tmp_path, limit=limit, usd=usd)
        Governor(load_text(text, environ={}), clock=ManualClock()).close()

    return run


def trail(folder: Path) -> list[EventRow]:
    """Return the audit trail, the oldest first."""
    with Ledger.open(f"sqlite:///{folder}/ledger.db", clock=ManualClock(), writable=False) as ledger:
        return list(ledger.reader.trail.following(0))


def test_a_process_is_on_record_from_start_to_stop(start: Callable[..., None], tmp_path: Path) -> None:
    """Who ran it, in which version, with which configuration."""
    start()

    first, started, stopped = trail(tmp_path)
    assert [one.kind for one in (first, started, stopped)] == ["config_changed", "process_started", "process_stopped"]
    assert (started.what["actor"], started.what["pid"]) == (user(), os.getpid())
    assert first.what["changes"] == {}


def test_what_a_new_configuration_changes_is_on_record(start: Callable[..., None], tmp_path: Path) -> None:
    """Only when something is different, and then each key with its old and its new value."""
    start()
    start()
    start(limit=20, usd="2.50")

    changes = [one.what["changes"] for one in trail(tmp_path) if one.kind == "config_changed"]
    assert changes == [
        {},
        {
            "budgets.all.limit_usd": {"old": "1", "new": "2.5"},
            "services.llm.limits.requests_per_minute": {"old": 10, "new": 20},
        },
    ]


def test_no_secret_is_on_record(start: Callable[..., None], tmp_path: Path) -> None:
    """Users, passwords and queries of addresses are left out."""
    start()

    text = json.dumps([one.what for one in trail(tmp_path)])
    assert "hunter2" not in text
    assert "https://***@example.com/v1" in text
    shared = load_text('[state]\nurl = "redis://me:hunter2@host:1/0?namespace=a"', environ={})
    assert settings_of(shared)["state.url"] == "redis://***@host:1/0?***"


def test_a_reload_is_told_with_its_actor(tmp_path: Path) -> None:
    """Whoever changes the configuration of a running process says who and why; nothing new is not recorded."""
    config = load_text(CONFIG.format(folder=tmp_path, limit=1, usd="1"), environ={})
    other = load_text(CONFIG.format(folder=tmp_path, limit=2, usd="1"), environ={})
    clock = ManualClock()
    with Governor(config, clock=clock) as gov:
        assert note_config(gov.ledger, other, clock, actor="ada", reason="SIGHUP")
    last = [one for one in trail(tmp_path) if one.kind == "config_changed"][-1]

    assert (last.what["actor"], last.what["reason"]) == ("ada", "SIGHUP")
    assert list(settings_of(other)) == list(settings_of(config))


def test_a_ledger_that_can_not_be_asked_is_let_go(
    start: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A start that fails half-way holds no lock."""

    def fail(*_: object) -> None:
        msg = "unreadable"
        raise LedgerError(msg)

    with monkeypatch.context() as broken:
        broken.setattr(TrailReader, "newest", fail)
        with pytest.raises(LedgerError, match="unreadable"):
            start()
    start()
    assert "process_started" in {one.kind for one in trail(tmp_path)}


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers often run as a number that no file of users has."""

    def fail() -> str:
        raise KeyError

    monkeypatch.setattr("getpass.getuser", fail)
    assert user() == f"uid {os.getuid()}"
