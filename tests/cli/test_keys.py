from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import httpx2
import pytest

from switchgear.config import load
from switchgear.server import Server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

SECRET = re.compile(r"sgk_[0-9A-Za-z]{57}")

CONFIG = """\
[server]
require_keys = true
[services.openai]
kind = "openai"
base_url = "http://127.0.0.1:9"
prices = { "house" = { input = "1.00", output = "2.00" } }
"""


@pytest.fixture
def configured(here: Path) -> Path:
    """A folder with a configuration and no ledger yet."""
    (here / "switchgear.toml").write_text(CONFIG, encoding="utf-8")
    return here


def test_the_secret_is_shown_once(configured: Path, run: Run) -> None:
    """It alone is on standard output, and no other command, table or JSON, has it."""
    made = run("keys", "create", "ci", "--service", "openai", "--limit-usd", "5", "--period", "day", "--expires", "30d")

    assert made.code == 0
    secret = made.out.strip()
    assert SECRET.fullmatch(secret)
    assert "only time" in made.err
    shown = [run("keys", *words) for words in (("list",), ("list", "--json"), ("show", "ci"), ("show", "ci", "--json"))]
    for result in (*shown, run("doctor")):
        assert secret not in result.out + result.err
        assert secret[12:] not in result.out + result.err
    assert shown[0].out.splitlines()[1].split()[:3] == ["ci", f"{secret[:12]}\u2026", "active"]
    (item,) = json.loads(shown[1].out)["items"]
    assert (item["services"], item["limit_usd"], item["period"], item["state"]) == (["openai"], "5", "day", "active")
    assert json.loads(shown[3].out) == item
    assert (configured / "switchgear.db").exists()


def test_a_key_is_rotated_and_revoked(configured: Path, run: Run) -> None:
    """Each as JSON too; a revoked key stays in the list, and its name is not used again."""
    run("keys", "create", "ci")
    turned = json.loads(run("keys", "rotate", "ci", "--grace", "1h", "--json").out)
    assert SECRET.fullmatch(turned["secret"])
    assert turned["previous_until"] is not None
    asked = run("keys", "revoke", "ci")
    assert (asked.code, "--yes" in asked.err) == (2, True)
    ended = run("keys", "revoke", "ci", "--yes", "--json")
    assert (ended.code, json.loads(ended.out)["state"]) == (0, "revoked")
    assert run("keys", "rotate", "ci").code != 0
    again = run("keys", "create", "ci")
    assert (again.code != 0, "no name is used twice" in again.err) == (True, True)
    assert run("keys", "list").out.splitlines()[1].split()[2] == "revoked"
    assert (configured / "switchgear.db").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "x", "--service", "opnai"), "did you mean 'openai'"),
        (("create", "a b"), "letters, digits"),
        (("create", "x", "--limit-usd", "0"), "--limit-usd"),
        (("create", "x", "--limit-usd", "much"), "--limit-usd"),
        (("create", "x", "--limit-usd", "1", "--limit-tokens", "1"), "keep one"),
        (("create", "x", "--limit-usd", "1", "--period", "fortnight"), "--period"),
        (("create", "x", "--period", "day"), "give --limit-usd"),
        (("create", "x", "--expires", "2020-01-01"), "a day to come"),
        (("create", "x", "--expires", "soon"), "a day to come"),
        (("create", "x", "--tag", "novalue"), "NAME=VALUE"),
        (("create", "x", "--job", "a\nb"), "printable"),
        (("rotate", "x", "--grace", "long"), "--grace"),
    ],
)
def test_what_is_wrong_is_said(configured: Path, run: Run, words: tuple[str, ...], said: str) -> None:
    """A mistake is one sentence, and makes no key."""
    result = run("keys", *words)
    assert result.code in {1, 2}
    assert said in result.err
    assert "sgk_" not in result.out
    assert not (configured / "switchgear.db").exists() or json.loads(run("keys", "list", "--json").out)["items"] == []


def test_no_key_and_no_such_key(configured: Path, run: Run) -> None:
    """Where there is nothing to show, that is said, with the nearest name there is."""
    run("keys", "create", "nightly")
    assert "did you mean 'nightly'" in run("keys", "show", "nigthly").err
    assert run("keys", "revoke", "nigthly", "--yes").code != 0
    assert (configured / "switchgear.db").exists()


@pytest.mark.e2e
def test_a_running_server_knows_within_its_tick(configured: Path, run: Run) -> None:
    """A key that the command line makes or ends holds in the server without a restart."""
    config = load(configured / "switchgear.toml", environ={})
    with Server(config, port=0) as server:

        def status(secret: str) -> int:
            headers = {"authorization": f"Bearer {secret}"}
            return httpx2.get(f"{server.url}/openai/v1/models", headers=headers).status_code

        def becomes(secret: str, wanted: int) -> bool:
            return any(status(secret) == wanted for _ in range(3_000))

        secret = run("keys", "create", "ci").out.strip()
        assert becomes(secret, 502)
        run("keys", "revoke", "ci", "--yes")
        assert becomes(secret, 401)
