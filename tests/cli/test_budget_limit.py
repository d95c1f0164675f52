"""``switchgear budgets set``, with a server and without one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from switchgear.config import load
from switchgear.server import Server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


def test_a_limit_changed_without_a_server_holds_at_the_next_start(filled: Path, run: Run) -> None:
    """Without a server the change is recorded in the ledger, and what is read afterwards has it."""
    result = run("budgets", "set", "all", "--limit", "3.5", "--note", "more work")

    assert result.code == 0
    assert "the change goes into the ledger" in result.err
    assert "$1.00 -> $3.50" in result.err
    assert "--limit 1 --note undo" in result.err
    assert json.loads(run("budgets", "show", "all", "--json").out)["limit_usd"] == "3.5"


def test_a_running_server_is_asked(filled: Path, run: Run) -> None:
    """With a server the limit holds at once, and the audit trail knows who did it and why."""
    file = filled / "switchgear.toml"
    with Server(load(file, environ={}), port=0) as server:
        result = run("budgets", "set", "all", "--limit", "2", "--note", "why", "--url", server.url, "--json")
        wrong = run("budgets", "set", "all", "--limit", "none", "--note", "why", "--url", server.url)
        shown = json.loads(run("budgets", "show", "all", "--json", "--url", server.url).out)

    change = json.loads(result.out)
    assert (change["old"], change["new"], change["note"]) == (10**9, 2 * 10**9, "why")
    assert change["by"].startswith("cli:")
    assert shown["limit_usd"] == "2"
    assert wrong.code == 2
    assert "is not an amount above 0" in wrong.err


def test_an_unknown_budget_is_named_with_its_nearest(filled: Path, run: Run) -> None:
    """A mistyped name changes nothing and is answered with the one that was meant."""
    result = run("budgets", "set", "alll", "--limit", "2", "--note", "why")

    assert result.code == 2
    assert "did you mean 'all'" in result.err


def test_a_bad_amount_without_a_server_is_an_error(filled: Path, run: Run) -> None:
    """What is no amount is refused before anything is written."""
    result = run("budgets", "set", "all", "--limit", "-3", "--note", "why")

    assert result.code == 2
    assert "greater than 0" in result.err
    assert json.loads(run("budgets", "show", "all", "--json").out)["limit_usd"] == "1"


def test_the_budget_of_a_key_is_changed_too(filled: Path, run: Run) -> None:
    """Without a server it holds at the next start; with one at once."""
    assert run("keys", "create", "ci", "--limit-usd", "5").code == 0
    result = run("budgets", "set", "key:ci", "--limit", "7", "--note", "more")
    assert result.code == 0, result.err
    assert "$5.00 -> $7.00" in result.err
    file = filled / "switchgear.toml"
    with Server(load(file, environ={}), port=0) as server:
        assert json.loads(run("budgets", "show", "key:ci", "--json", "--url", server.url).out)["limit_usd"] == "7"
        result = run("budgets", "set", "key:ci", "--limit", "8", "--note", "more", "--url", server.url, "--json")
    assert json.loads(result.out)["new"] == 8 * 10**9
