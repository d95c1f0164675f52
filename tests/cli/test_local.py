from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from switchgear.local import LocalModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Run


def test_install_prints_where_the_file_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data are the path; what the installer says and what to do next are messages."""

    def install(*, progress: Callable[[str], object]) -> Path:
        progress("Downloading")
        return Path("/models/file.gguf")

    monkeypatch.setattr("switchgear.local.install.install", install)
    monkeypatch.setattr("switchgear.local.missing", lambda: None)

    assert run("local", "install") == (0, "/models/file.gguf\n", "Downloading\nNext: switchgear demo\n")


def test_install_says_what_is_still_missing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file alone does not run: the engine is an extra."""
    monkeypatch.setattr("switchgear.local.install.install", lambda **_: Path("/models/file.gguf"))
    monkeypatch.setattr("switchgear.local.missing", lambda: "the engine is missing")

    assert run("local", "install").err == "Still to do: the engine is missing\n"


def test_an_install_that_fails_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that can't be reached is exit code 4 with its reason."""

    def install(**_: object) -> Path:
        msg = "could not be installed (exit 1): no route to host"
        raise LocalModelError(msg)

    monkeypatch.setattr("switchgear.local.install.install", install)

    assert run("local", "install") == (4, "", "could not be installed (exit 1): no route to host\n")
