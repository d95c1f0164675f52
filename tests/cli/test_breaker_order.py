"""``switchgear services breaker``, with a server and without one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from switchgear.config import load
from switchgear.server import Server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


def _first(filled: Path) -> str:
    return next(iter(load(filled / "switchgear.toml", environ={}).services))


def test_an_order_without_a_server_holds_at_the_next_start(filled: Path, run: Run) -> None:
    """Without a server the order is recorded in the ledger, and the next server begins with it."""
    name = _first(filled)
    result = run("services", "breaker", name, "open", "--note", "outage", "--yes")
    assert result.code == 0, result.err
    assert "the order goes into the ledger" in result.err
    assert f"{name}: closed -> forced open, from now on." in result.err
    assert "close --note undo" in result.err
    with Server(load(filled / "switchgear.toml", environ={}), port=0) as server:
        shown = json.loads(run("services", "show", name, "--json", "--url", server.url).out)
    assert shown["breaker"]["state"] == "forced_open"


def test_a_running_server_is_asked(filled: Path, run: Run) -> None:
    """With a server the order holds at once; closing needs no consent."""
    name = _first(filled)
    with Server(load(filled / "switchgear.toml", environ={}), port=0) as server:
        opened = run("services", "breaker", name, "open", "--note", "why", "--yes", "--url", server.url, "--json")
        closed = run("services", "breaker", name, "close", "--note", "back", "--url", server.url, "--json")
        wrong = run("services", "breaker", "nobody", "close", "--note", "back", "--url", server.url)
    done = json.loads(opened.out)
    assert (done["old"], done["new"], done["note"]) == ("closed", "forced_open", "why")
    assert done["by"].startswith("cli:")
    assert json.loads(closed.out)["old"] == "forced_open"
    assert wrong.code == 2
    assert "there is no service 'nobody'" in wrong.err


def test_refusing_every_call_is_asked_about(filled: Path, run: Run) -> None:
    """Where nobody can be asked, --yes says that it is meant; a mistyped name is answered with the nearest."""
    name = _first(filled)
    result = run("services", "breaker", name, "open", "--note", "why")
    assert result.code == 2
    assert "--yes" in result.err
    result = run("services", "breaker", name + "x", "close", "--note", "why")
    assert result.code == 2
    assert f"did you mean '{name}'" in result.err
