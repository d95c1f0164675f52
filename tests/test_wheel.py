"""The wheel: the same bytes from the same source, and all that it needs in it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import httpx2
import pytest

from switchgear.version import __version__

ROOT = Path(__file__).parent.parent
SOURCES = ("src", "pyproject.toml", "hatch_build.py", "package.json", "package-lock.json", "README.md", "LICENSE")

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def build(folder: Path, *, epoch: str) -> Path:
    """Return a wheel that was built of a copy of the source in *folder*."""
    folder.mkdir()
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, folder / name)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    environ = {**os.environ, "SOURCE_DATE_EPOCH": epoch}
    subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this source."""
    return build(tmp_path_factory.mktemp("wheel") / "one", epoch="1790000000")


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``switchgear`` in an environment that has the wheel and, of this one, its dependencies: not the source."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False)
    (site,) = (folder / "lib").glob("python*/site-packages")
    installer = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps"]
    subprocess.run([*installer, "--python", str(folder / "bin" / "python"), str(wheel)], check=True)
    # Behind its own packages. A path in a .pth file is no place for .pth files, so nothing editable comes along.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / "bin" / "switchgear"


def run(command: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the installed command away from the source."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(command), *arguments], capture_output=True, text=True, check=False, cwd=cwd, env=environ, timeout=120
    )


def test_the_same_source_is_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """Built elsewhere, later, from files of another age: the same hash. Another SOURCE_DATE_EPOCH is another wheel."""
    again = build(tmp_path / "somewhere else", epoch="1790000000")
    later = build(tmp_path / "later", epoch="1800000000")
    digests = [hashlib.sha256(one.read_bytes()).hexdigest() for one in (wheel, again, later)]

    assert digests[0] == digests[1] != digests[2]


def test_the_wheel_has_what_is_no_python_and_nothing_of_ours(wheel: Path) -> None:
    """Templates, styles, scripts, Lua and types are in it; tests, caches and configurations are not."""
    names = zipfile.ZipFile(wheel).namelist()

    for wanted in ("switchgear/py.typed", "templates/base.html", ".lua", "static/vendor/htmx.min.js", ".css"):
        assert any(name.endswith(wanted) for name in names), wanted
    assert [name for name in names if "__pycache__" in name or name.startswith(("tests", "."))] == []


def test_the_installed_command_says_its_version(command: Path, tmp_path: Path) -> None:
    """It is the wheel's own code that runs."""
    done = run(command, "--version", cwd=tmp_path)
    code = "import switchgear; print(switchgear.__file__)"
    where = subprocess.run(
        [str(command.parent / "python"), "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, env={}
    )

    assert __version__ in done.stdout
    assert where.stdout.startswith(str(command.parent.parent))


def test_it_serves(command: Path, tmp_path: Path) -> None:
    """`switchgear serve` with no configuration answers with its pages, their styles and scripts, and ends well."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    arguments = [str(command), "serve", "--port", "0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        page = httpx2.get(url)
        links = [part.split('"')[0] for part in page.text.split('="/static/')[1:]]
        statuses = {link: httpx2.get(f"{url}/static/{link}").status_code for link in links}
        process.terminate()
        code = process.wait(20)

    assert (page.status_code, code) == (200, 0)
    assert statuses
    assert set(statuses.values()) == {200}


def test_it_runs_the_demo(command: Path, tmp_path: Path) -> None:
    """`switchgear demo --once` ends with its story told."""
    done = run(command, "demo", "--once", "--json", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert '"calls"' in done.stdout
