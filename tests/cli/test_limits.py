"""``switchgear limits``: from the ledger, and from a running server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from switchgear.config import load
from switchgear.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Run


@pytest.fixture
def server(filled: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server over the filled ledger, in force for every command."""
    with Server(load(filled / "switchgear.toml", environ={}), port=0) as running:
        monkeypatch.setenv("SWITCHGEAR_URL", running.url)
        yield running.url


@pytest.mark.usefixtures("filled")
def test_the_list_has_each_limit(run: Run) -> None:
    """Every limit has a line with what is used and left."""
    result = run("limits", "list")
    line = next(line for line in result.out.splitlines() if line.startswith("geocoder"))
    assert result.code == 0
    assert line.split()[:6] == ["geocoder", "requests_per_minute", "Enforced", "0", "7", "7"]


@pytest.mark.usefixtures("filled")
def test_a_call_that_would_pass_ends_with_0(run: Run) -> None:
    """The answer leads, the rules follow, a sentence ends it; where it is from is said."""
    result = run("limits", "test", "openai", "--model", "house", "--tokens", "100", "--run", "r1", "--tag", "a=b")
    lines = result.out.splitlines()
    assert result.code == 0
    assert "WOULD PASS" in lines[0]
    assert "each-run (r1)" in result.out
    assert lines[-1] == "It would go now."
    assert "From the ledger, as of" in result.err


@pytest.mark.usefixtures("filled")
def test_a_call_that_would_be_refused_ends_with_5_and_the_deciding_rule_first(run: Run) -> None:
    """Of the rules the one that decides is the first line, and is marked."""
    result = run("limits", "test", "openai", "--model", "house", "--tokens", "90000", "--job", "tiny-1")
    assert result.code == 5
    assert "WOULD BE REFUSED" in result.out
    first = result.out.splitlines()[3]
    assert first.split()[:2] == ["->", "tiny"]
    assert "refuses" in first
    assert result.out.splitlines()[-1].startswith("Refused: budget tiny has no room for this call")


@pytest.mark.usefixtures("filled")
def test_json_has_every_number(run: Run) -> None:
    """Programs get what the API gives."""
    result = run("limits", "test", "geocoder", "--unit", "pages=3", "--json")
    told = json.loads(result.out)
    assert (told["verdict"], told["price"], told["cost_usd"]) == ("pass", "unpriced", None)
    assert told["rules"][0]["kind"] == "price"
    assert {"breaker", "limit", "budget"} <= {rule["kind"] for rule in told["rules"]}


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nobody",), "the configured ones are"),
        (("openai", "--tokens", "-5"), "tokens: is a whole number from 0 on, not -5"),
        (("openai", "--tag", "x"), "NAME=VALUE is wanted"),
        (("openai", "--unit", "pages=many"), "units.pages"),
        (("openai", "--max-wait", "soon"), "max_wait"),
    ],
)
def test_a_mistake_ends_with_2_and_what_is_valid(run: Run, arguments: tuple[str, ...], says: str) -> None:
    """Nothing is guessed."""
    result = run("limits", "test", *arguments)
    assert result.code == 2
    assert says in result.err


@pytest.mark.usefixtures("server")
def test_a_running_server_is_asked(run: Run) -> None:
    """With a server the live numbers answer, and nothing is said of the ledger."""
    result = run("limits", "test", "openai", "--model", "house", "--tokens", "100")
    assert result.code == 0
    assert "ledger" not in result.err
    assert "requests_per_minute" in run("limits", "list").out


@pytest.mark.usefixtures("server")
def test_a_server_says_what_is_wrong(run: Run) -> None:
    """What the server finds wrong ends with 2 too, in its words."""
    result = run("limits", "test", "nobody")
    assert result.code == 2
    assert "there is no service 'nobody'" in result.err
