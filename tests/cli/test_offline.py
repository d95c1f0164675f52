"""Read commands without a server: ledger and configuration say what a server would start with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


def test_figures_come_from_the_ledger(filled: Path, run: Run) -> None:
    """Without a server the ledger answers, and standard error says so."""
    result = run("budgets", "list", "--json")

    spent = {item["name"]: item["spent_usd"] for item in json.loads(result.out)["items"]}
    assert result.code == 0
    assert spent == {"all": "0.00176", "tiny": "0"}
    assert result.err == "no server at http://127.0.0.1:1: Connection refused; these are the figures of the ledger.\n"


def test_a_server_that_was_asked_for_is_not_replaced(filled: Path, run: Run) -> None:
    """With --url the ledger does not stand in: it may be another server's."""
    result = run("budgets", "list", "--url", "http://127.0.0.1:1")

    assert result == (4, "", "no server at http://127.0.0.1:1: Connection refused\n")


def test_nothing_recorded_is_no_error(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first call the services are shown as configured, and no ledger is made."""
    monkeypatch.setenv("SWITCHGEAR_SERVER__PORT", "1")

    result = run("services", "list")

    assert result.code == 0
    assert result.err.endswith("There is no ledger yet: nothing has been recorded.\n")
    assert [line.split()[:3] for line in result.out.splitlines()[1:3]] == [
        ["openai", "openai", "closed"],
        ["anthropic", "anthropic", "closed"],
    ]
    assert list(here.iterdir()) == []


def test_a_service_in_full(filled: Path, run: Run) -> None:
    """`services show` tells the breaker's story, its thresholds and each limit."""
    result = run("services", "show", "geocoder")

    facts = dict(line.split("  ", 1) for line in result.out.splitlines() if not line.startswith(" "))
    assert result.code == 0
    assert facts["gateway path"].strip() == "/geocoder"
    assert facts["limit requests per minute"].strip() == "0 of 7"


def test_a_budget_in_full(filled: Path, run: Run) -> None:
    """`budgets show` says what a budget counts, what it has spent and what is left."""
    result = run("budgets", "show", "all")

    assert result.code == 0
    assert "counts               every call" in result.out
    assert "  spent              $0.0018" in result.out
    assert "  remaining          $1.00" in result.out


def test_one_budget_is_one_object(filled: Path, run: Run) -> None:
    """`budgets show --json` of a plain budget is its item; of one with an `each`, its items."""
    one: dict[str, Any] = json.loads(run("budgets", "show", "all", "--json").out)
    each: dict[str, Any] = json.loads(run("budgets", "show", "each-run", "--json").out)

    assert (one["name"], one["limit_usd"]) == ("all", "1")
    assert each == {"name": "each-run", "items": [], "next": None}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("services", "show", "opnai"), "Error: there is no service 'opnai'; did you mean 'openai'?\n"),
        (("services", "show", "zzz"), "Error: there is no service 'zzz'; known are geocoder, openai.\n"),
        (("budgets", "show", "tyny"), "Error: there is no budget 'tyny'; did you mean 'tiny'?\n"),
    ],
)
def test_a_name_that_is_not_there(words: tuple[str, ...], said: str, filled: Path, run: Run) -> None:
    """A wrong name is answered with the nearest one, or all, with exit code 2."""
    result = run(*words)

    assert (result.code, result.out) == (2, "")
    assert result.err.endswith(said)


def test_status_needs_a_server(filled: Path, run: Run) -> None:
    """Without a server `status` says how to start one, with exit code 4."""
    result = run("status")

    assert (result.code, result.out) == (4, "")
    assert result.err == (
        "no server at http://127.0.0.1:1: Connection refused\n"
        "Start one with `switchgear serve`, or say where it is: --url, or SWITCHGEAR_URL.\n"
    )


@pytest.mark.parametrize("url", ["127.0.0.1:8400", "ftp://x", "http://"])
def test_an_address_that_is_none(url: str, filled: Path, run: Run) -> None:
    """What is no address is a usage error."""
    result = run("status", "--url", url)

    assert result.code == 2
    assert "--url: not an address" in result.err
