from __future__ import annotations

import json
from pathlib import Path

import pytest

from switchgear.cli import main

CONFIG = '[ledger]\nurl = "sqlite:///switchgear.db"\n[[alerts.rules]]\nname = "slow"\nabove = 5000\n'


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SWITCHGEAR_URL", raising=False)
    Path("switchgear.toml").write_text(CONFIG, encoding="utf-8")


def test_rules_are_told_without_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    """Every rule is listed as the configuration makes it."""
    assert main(["alerts", "rules", "--json"]) == 0
    rules = {rule["name"]: rule for rule in json.loads(capsys.readouterr().out)["items"]}

    assert rules["slow"]["enabled"]
    assert rules["slow"]["above"] == 5000
    assert rules["error-rate"]["above"] == 10


def test_a_silence_needs_matchers_and_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """What is missing is a usage error before anybody is asked."""
    assert main(["alerts", "silence", "service=openai"]) == 2
    assert "--reason" in capsys.readouterr().err
    assert main(["alerts", "silence", "colour=red", "--reason", "x"]) == 2
    assert "known are rule" in capsys.readouterr().err


def test_without_a_server_a_list_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Alerts are in the running server: where there is none the command fails and says where it looked."""
    assert main(["alerts", "list", "--url", "http://127.0.0.1:9"]) != 0
    assert "no server at http://127.0.0.1:9" in capsys.readouterr().err
