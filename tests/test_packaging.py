"""The package as a whole: what an import costs, what is in it, which version it says it is."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import metadata
from pathlib import Path

from switchgear.version import __version__

ROOT = Path(__file__).parent.parent
HEAVY = (
    "alembic",
    "anthropic",
    "fastapi",
    "genai_prices",
    "openai",
    "pydantic_settings",
    "rich",
    "sqlalchemy",
    "uvicorn",
)


def loaded_by(statement: str) -> set[str]:
    """Return the modules that a fresh interpreter has after *statement*."""
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_switchgear_loads_nothing_heavy() -> None:
    """`import switchgear` leaves every heavy or optional package to the moment it is used."""
    loaded = loaded_by("import switchgear")

    assert loaded.isdisjoint(HEAVY)


def test_a_file_stays_a_small_room() -> None:
    """No source file is longer than 400 lines."""
    files = (ROOT / "src").rglob("*.py")

    long = [path.relative_to(ROOT) for path in files if path.read_text(encoding="utf-8").count("\n") > 400]

    assert long == []


def test_the_changelog_knows_the_version() -> None:
    """The version that the package says it is has its entry in CHANGELOG.md."""
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_installed_package_says_the_same_version() -> None:
    """What `pip` shows is what the code says."""
    assert metadata("switchgear")["Version"] == __version__


def test_all_extras_are_in_all() -> None:
    """`switchgear[all]` leaves no extra out but the one that costs everybody memory and time."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]

    wanted = ",".join(sorted(extras.keys() - {"all", "tokens"}))
    assert extras["all"] == [f"switchgear[{wanted}]"]


def test_no_lock_names_a_host() -> None:
    """Lock files pin versions and digests, and leave the choice of the registry to the machine."""
    for name in ("package-lock.json", "constraints.txt"):
        assert "://" not in (ROOT / name).read_text(encoding="utf-8")
