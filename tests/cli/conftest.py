from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import pytest

from switchgear.cli import main
from switchgear.clients.governor import Governor
from switchgear.config import load
from switchgear.context import attribution
from switchgear.errors import Refused
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

NOON = 1_795_521_600.0
"""2026-11-24T12:00:00Z."""

CONFIG = """\
[server]
port = 1
[ledger]
url = "sqlite:///switchgear.db"
[services.openai]
prices = { "house" = { input = "1.00", output = "2.00" } }
[services.geocoder]
base_url = "http://127.0.0.1:9"
breaker = { failure_threshold = 1, recovery_timeout = "5m" }
limits = { requests_per_minute = 7 }
[[budgets]]
name = "all"
limit_usd = "1"
[[budgets]]
name = "tiny"
match = { job = "tiny-1" }
limit_usd = "0.0001"
[[budgets]]
name = "each-run"
each = "run"
limit_usd = "2"
"""


class Result(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, as a user without any configuration of his own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def run(*arguments: str) -> Result:
        code = main(arguments)
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return run


@pytest.fixture
def filled(here: Path) -> Path:
    """A folder with a configuration and a ledger: two calls of acme that went well, one refused, one failed."""
    file = here / "switchgear.toml"
    file.write_text(CONFIG, encoding="utf-8")
    clock = ManualClock(NOON)
    with Governor(load(file, environ={}), clock=clock) as gov:
        for layer in ("research", "letter"):
            with (
                attribution(job="acme", layer=layer),
                gov.call("openai", model="house", input_tokens=900, max_output_tokens=100) as call,
            ):
                clock.advance(1.5)
                call.used(input_tokens=800, output_tokens=40)
        with (
            pytest.raises(Refused),
            attribution(job="tiny-1"),
            gov.call("openai", model="house", input_tokens=900, max_output_tokens=100),
        ):
            pass
        with pytest.raises(OSError, match="gone"), gov.call("geocoder"):
            raise OSError("gone")  # noqa: EM101 - what a broken connection raises
    return here
