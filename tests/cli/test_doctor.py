from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from switchgear.cli.checks.machine import check_extras
from switchgear.config import load_text
from switchgear.insight.checks.clock import check_clock
from switchgear.insight.checks.keys import check_keys
from switchgear.insight.checks.ledger import check_ledger
from switchgear.insight.checks.prices import check_prices
from switchgear.ledger.migrate import HEAD
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

NOON = 1_795_521_600.0
DAY = 86_400


def test_a_sound_machine_passes(filled: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing wrong, every line is ok and the exit code 0; the last line counts."""
    monkeypatch.setenv("SWITCHGEAR_SERVER__PORT", "0")

    result = run("doctor")

    lines = result.out.splitlines()
    assert (result.code, result.err) == (0, "")
    assert lines[0] == "ok    config      switchgear.toml, services: 2, budgets: 3"
    assert f"schema {HEAD}, 4 calls)" in lines[1]
    assert lines[-1] == "0 failed, 0 warnings, 8 ok"


def test_a_configuration_that_is_wrong_does_not_stop_it(here: Path, run: Run) -> None:
    """Each problem of the configuration is a failed check; the checks that need none go on."""
    (here / "switchgear.toml").write_text('[server]\nprt = 1\n[ledgr]\nurl = "x"\n', encoding="utf-8")

    result = run("doctor", "--json")

    found = json.loads(result.out)
    texts = [check["text"] for check in found["checks"] if check["subject"] == "config"]
    assert result.code == 3
    assert [text.split(":")[1] for text in texts] == ["2", "3"]
    assert (found["fail"], found["warn"]) == (2, 0)


def test_a_warning_fails_only_when_strict(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger in memory is a warning: 0, and with --strict 3."""
    monkeypatch.setenv("SWITCHGEAR_LEDGER__URL", "sqlite://")
    monkeypatch.setenv("SWITCHGEAR_SERVER__PORT", "0")

    assert run("doctor").code == 0
    assert run("doctor", "--strict").code == 3


def test_a_key_that_is_named_must_be_there(tmp_path: Path) -> None:
    """A missing variable fails with the line that sets it; a service without a key is no concern."""
    (tmp_path / "empty").touch()
    (tmp_path / "full").write_text("secret", encoding="utf-8")
    config = load_text(
        f"""
        [services.openai]
        api_key_env = "OPENAI_API_KEY"
        [services.anthropic]
        api_key_env = "ANTHROPIC_API_KEY"
        [services.openrouter]
        api_key_file = "{tmp_path}/empty"
        [services.firecrawl]
        api_key_file = "{tmp_path}/full"
        [services.pdf_service]
        api_key_file = "{tmp_path}/none"
        """
    )

    found = {one.subject: one for one in check_keys(config, {"OPENAI_API_KEY": "secret"})}

    levels = {name: one.level for name, one in found.items()}
    assert levels == {
        "openai": "ok",
        "anthropic": "fail",
        "openrouter": "fail",
        "firecrawl": "ok",
        "pdf_service": "fail",
    }
    assert found["anthropic"].remedy == "export ANTHROPIC_API_KEY=..."
    assert "secret" not in str(found)


def test_a_service_that_nobody_has_a_key_for_is_told() -> None:
    """Where callers have our keys only, a service without a provider key is a warning."""
    text = '[server]\nrequire_keys = true\n[services.local]\nbase_url = "http://127.0.0.1:9"\n[services.fn]\n'

    assert [(one.level, one.subject) for one in check_keys(load_text(text), {})] == [("warn", "local")]
    assert list(check_keys(load_text(text.replace("true", "false")), {})) == []


def test_a_ledger_that_can_not_be_opened_fails(tmp_path: Path) -> None:
    """A missing folder, or a file of something else, is a failed check in a sentence."""
    (tmp_path / "notes.db").write_text("not a database, not at all, and long enough to tell" * 50, encoding="utf-8")
    clock = ManualClock(NOON)

    for place in (tmp_path / "nowhere" / "x.db", tmp_path / "notes.db"):
        found = list(check_ledger(load_text(f'[ledger]\nurl = "sqlite:///{place}"\n'), clock))

        assert [one.level for one in found] == ["fail"]


def test_a_clock_behind_the_ledger_is_told(filled: Path) -> None:
    """Calls in the future mean that the clock was set back."""
    config = load_text(f'[ledger]\nurl = "sqlite:///{filled}/switchgear.db"\n')

    found = list(check_ledger(config, ManualClock(NOON - DAY)))

    assert [(one.level, one.subject) for one in found] == [("ok", "ledger"), ("warn", "clock")]


def test_a_clock_before_this_version_is_wrong() -> None:
    """It can't be earlier than the day this version was made."""
    assert [one.level for one in check_clock(ManualClock(0))] == ["fail"]
    assert [one.level for one in check_clock(ManualClock(NOON))] == ["ok"]


def test_an_old_price_list_is_told() -> None:
    """A price list that knows no change of the last half year is a warning."""
    assert [one.level for one in check_prices(ManualClock(NOON))] == ["ok"]
    assert [one.level for one in check_prices(ManualClock(NOON + 900 * DAY))] == ["warn"]


def test_only_the_server_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optional packages that are not there are no warning; the server's are one, with how to get them."""

    def without(package: str) -> Any:  # noqa: ANN401 - importlib's own
        return None if package == "uvicorn" else find_spec(package)

    monkeypatch.setattr("switchgear.cli.checks.machine.find_spec", without)

    found = {one.subject: one for one in check_extras()}

    assert found["server"].level == "warn"
    assert found["server"].remedy == 'pip install "switchgear[server]"'
