from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from switchgear.cli import main
from switchgear.clients.governor import Governor
from switchgear.config import load
from switchgear.testing import ManualClock, fake_provider

CONFIG = """\
[ledger]
url = "sqlite:///switchgear.db"
[services.openai]
unpriced = "allow"
prices = { "house" = { input = "1.00", output = "2.00", cache_read = "0.5", pages = "0.01" } }
[services.web]
base_url = "http://web.test"
prices = { "*" = { request = "0.001" } }
"""
CHAT = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("switchgear.toml").write_text(CONFIG, encoding="utf-8")


@pytest.fixture
def _filled() -> None:
    """A ledger with a call of a listed, an own and an unknown model each, and one without a model."""
    with (
        Governor(load(Path("switchgear.toml"), environ={}), clock=ManualClock(1_795_521_600.0)) as gov,
        fake_provider(gov),
    ):
        with gov.http_client("openai") as client:
            for model in ("gpt-4o-mini-2024-07-18", "house", "house", "gpt-9-nonesuch"):
                client.post("https://api.openai.com/v1/chat/completions", json={"model": model, **CHAT})
        with gov.http_client("web") as client:
            client.get("http://web.test/pages")


class Ran:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:  # noqa: ANN401
        return json.loads(self.out)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    """Run ``switchgear prices`` with *arguments*."""
    code = main(["prices", *arguments])
    return Ran(code, *capsys.readouterr())


def test_explain_tells_every_rate_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    """A dated name is priced as its base model, on the day that was asked for."""
    ran = run(capsys, "explain", "gpt-4o-mini-2024-07-18", "--at", "2026-11-01", "--service", "openai", "--json")
    (facts,) = ran.json["items"]

    assert ran.code == 0
    assert ran.json["at"] == "2026-11-01T00:00:00+00:00"
    assert (facts["service"], facts["provider"], facts["entry"]) == ("openai", "openai", "gpt-4o-mini")
    assert facts["version"].endswith("/openai/gpt-4o-mini")
    rates = {rate["what"]: (rate["usd"], rate["per"], rate["unit"]) for rate in facts["rates"]}
    assert rates["input"] == ("0.15", 1_000_000, "tokens")
    assert rates["cache_read"] == ("0.075", 1_000_000, "tokens")
    assert rates["web_searches"] == ("10", 1_000, "web searches")
    assert any("batch" in tier["when"] and tier["in_force"] for tier in facts["tiers"])


def test_explain_knows_dated_changes_and_tiers_of_long_input(capsys: pytest.CaptureFixture[str]) -> None:
    """Before and after a change of price the rates in force differ, and both are shown."""
    before, after = (
        run(capsys, "explain", "claude-opus-4-6", "--provider", "anthropic", "--at", day, "--json").json["items"][0]
        for day in ("2026-03-12", "2026-03-13")
    )

    assert [(period["when"], period["in_force"]) for period in before["periods"]] == [
        ("otherwise", True),
        ("from 2026-03-13", False),
    ]
    assert [period["in_force"] for period in after["periods"]] == [False, True]
    assert {rate["above"] for rate in before["rates"] if rate["what"] == "input"} == {None, 200_000}
    assert after["version"].endswith("/2026-03-13")


def test_explain_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """The same on a screen: one rate a line, the hours of a daily price among them."""
    ran = run(capsys, "explain", "deepseek-chat", "--provider", "deepseek", "--at", "2026-11-01T03:00+00:00")

    assert ran.code == 0
    assert "input $0.27/1M" in ran.out
    assert "daily 00:30-16:30 UTC" in ran.out
    assert "2026-11-01 03:00 UTC" in ran.out


def test_explain_of_an_own_price(capsys: pytest.CaptureFixture[str]) -> None:
    """What the configuration states is shown as it states it."""
    ran = run(capsys, "explain", "house", "--service", "openai")

    assert ran.code == 0
    assert "input $1/1M" in ran.out
    assert "pages $0.01/one pages" in ran.out
    assert "config/house/" in ran.out


def test_explain_of_the_star_entry(capsys: pytest.CaptureFixture[str]) -> None:
    """Any other model of a service is priced by its ``*`` entry."""
    ran = run(capsys, "explain", "anything", "--json")

    assert [(one["service"], one["entry"]) for one in ran.json["items"]] == [("web", "*")]


@pytest.mark.parametrize("where", [(), ("--provider", "openai"), ("--service", "openai")])
def test_explain_of_an_unknown_model_fails_the_check(
    capsys: pytest.CaptureFixture[str], where: tuple[str, ...]
) -> None:
    """Nobody knows a price, so there is none: exit 3, and how to state one."""
    Path("switchgear.toml").write_text("", encoding="utf-8")
    ran = run(capsys, "explain", "gpt-9-nonesuch", *where)

    assert (ran.code, ran.out) == (3, "")
    assert 'prices = { "gpt-9-nonesuch"' in ran.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("explain", "m", "--at", "yesterday"), "--at: not a date"),
        (("explain", "m", "--service", "openai", "--provider", "openai"), "exclude each other"),
        (("explain", "m", "--service", "opnai"), "did you mean 'openai'?"),
        (("list", "--service", "opnai"), "did you mean 'openai'?"),
    ],
)
def test_what_makes_no_sense_is_told(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str) -> None:
    """Usage errors exit with 2 and say what is wrong."""
    ran = run(capsys, *arguments)

    assert ran.code == 2
    assert told in ran.err


@pytest.mark.usefixtures("_filled")
def test_list_has_own_prices_and_every_model_seen(capsys: pytest.CaptureFixture[str]) -> None:
    """The configuration's entries and the ledger's models, with calls and price; an unknown one is unpriced."""
    items = run(capsys, "list", "--json").json["items"]

    assert [(one["service"], one["model"], one["calls"], one["source"]) for one in items] == [
        ("openai", "gpt-4o-mini-2024-07-18", 1, "genai-prices"),
        ("openai", "gpt-9-nonesuch", 1, None),
        ("openai", "house", 2, "config"),
        ("web", None, 1, "config"),
        ("web", "*", 0, "config"),
    ]


@pytest.mark.usefixtures("_filled")
def test_list_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """A table with the rates that matter, of one service where one is named."""
    lines = run(capsys, "list", "--service", "openai").out.splitlines()

    assert lines[0].split() == ["SERVICE", "MODEL", "INPUT/1M", "OUTPUT/1M", "OTHER", "CALLS", "SOURCE"]
    assert lines[1].split()[:4] == ["openai", "gpt-4o-mini-2024-07-18", "$0.15", "$0.6"]
    assert lines[2].split()[-1] == "unpriced"
    assert "cache read $0.5/1M" in lines[3]
    assert len(lines) == 4


def test_list_of_nothing_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Without own prices and calls there is nothing to list, which is no error."""
    Path("switchgear.toml").write_text("", encoding="utf-8")
    ran = run(capsys, "list")

    assert (ran.code, ran.out) == (0, "")
    assert "switchgear prices explain MODEL" in ran.err


@pytest.mark.usefixtures("_filled")
def test_check_finds_models_without_a_price(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 3 while there are any; a call without a model is none of them."""
    ran = run(capsys, "check", "--json")
    text = run(capsys, "check")

    assert (ran.code, text.code) == (3, 3)
    assert ran.json["unpriced"] == [{"service": "openai", "model": "gpt-9-nonesuch", "calls": 1}]
    assert (ran.json["models"], ran.json["list"]["subject"]) == (3, "prices")
    assert "unpriced  openai  gpt-9-nonesuch  1 calls" in text.out


def test_check_of_an_empty_ledger_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing seen, nothing missing."""
    ran = run(capsys, "check")

    assert ran.code == 0
    assert ran.out.startswith("0 models seen, 0 without a price; genai-prices ")
