from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_it_says_ready_once_and_ends_well(number: signal.Signals, code: int, filled: Path) -> None:
    """Standard output is exactly one line; SIGTERM ends the server with exit code 0, an interrupt with 130."""
    command = [sys.executable, "-m", "switchgear", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(number)
        rest, messages = process.communicate(timeout=20)

    assert line.startswith("ready http://127.0.0.1:")
    assert (rest, process.returncode, messages) == ("", code, "")


def test_without_the_server_packages_it_says_how_to_get_them(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the `server` extra is missing, one sentence tells the command; exit code 2."""
    monkeypatch.setattr("switchgear.cli.serve.find_spec", lambda _name: None)

    assert run("serve") == (2, "", 'the server is not installed: pip install "switchgear[server]"\n')


def test_a_demo_without_the_sdks_says_how_to_get_them(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the `sdk` extra is missing, the demo says so before it starts anything; exit code 2."""
    monkeypatch.setattr("switchgear.cli.demo.find_spec", lambda _name: None)

    result = run("demo")

    assert (result.code, result.out) == (2, "")
    assert 'pip install "switchgear[sdk]"' in result.err
