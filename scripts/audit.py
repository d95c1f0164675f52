"""``make audit``: the bill of materials of what a user installs, and what is known against it.

The list is the closure of ``switchgear[all,tokens]`` in the environment that runs this, without the tools of
development. Exit code 0: each of them was looked up and nothing is known; 1: something is; 4: not all of them could be
looked up, which is no clean bill. ``--bill-only`` looks nothing up.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).resolve().parent.parent
BUILD: Final = ROOT / "build"
EXTRAS: Final = frozenset({"all", "tokens"})
UNREACHABLE: Final = 4


def closure(name: str, extras: frozenset[str]) -> dict[str, str]:
    """Return name and version of all that *name* with *extras* needs on this machine, *name* itself aside."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(name, extra) for extra in ("", *sorted(extras))]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        try:
            dist = distribution(one[0])
        except PackageNotFoundError:
            msg = f"{one[0]} is not installed here, so what would be looked up is not what users get: make setup"
            raise SystemExit(msg) from None
        found[dist.metadata["Name"]] = dist.version
        for text in dist.requires or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": one[1]}):
                waiting += [(needed.name, extra) for extra in ("", *sorted(needed.extras))]
    found.pop(name)
    return found


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run *name*, which is installed beside this Python."""
    return subprocess.run(  # noqa: S603 - our own tools
        [str(Path(sys.executable).parent / name), *arguments], capture_output=True, text=True, check=False
    )


def main() -> int:
    """Write the bill, look everything up, say what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bill-only", action="store_true")
    parser.add_argument("--out", type=Path, default=BUILD)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    parts = closure("switchgear", EXTRAS)
    listed = given.out / "runtime.txt"
    listed.write_text("".join(f"{name}=={version}\n" for name, version in sorted(parts.items())), encoding="utf-8")
    bill = given.out / "sbom.cdx.json"
    options = ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "-o", str(bill)]
    made = tool("cyclonedx-py", "requirements", *options, str(listed))
    if made.returncode != 0:
        sys.stderr.write(made.stderr)
        return 1
    sys.stdout.write(f"audit: {bill.name} lists {len(parts)} packages\n")
    return 0 if given.bill_only else _looked_up(parts, listed, given.out / "audit.json")


def _looked_up(parts: dict[str, str], listed: Path, out: Path) -> int:
    out.unlink(missing_ok=True)
    options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json", "--output", str(out)]
    done = tool("pip-audit", "--requirement", str(listed), *options)
    if not out.is_file():
        lines = done.stderr.strip().splitlines()
        sys.stderr.write(f"audit: NOT DONE, nothing could be looked up: {lines[-1] if lines else 'no answer'}\n")
        return UNREACHABLE
    rows: list[dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))["dependencies"]
    return verdict(parts, rows)


def verdict(parts: dict[str, str], rows: list[dict[str, Any]]) -> int:
    """Say what *rows* of pip-audit mean for *parts*; return the exit code."""
    bad = [row for row in rows if row.get("vulns")]
    for row in bad:
        names = ", ".join(f"{one['id']} (fixed in {', '.join(one['fix_versions']) or 'none'})" for one in row["vulns"])
        sys.stderr.write(f"audit: {row['name']} {row['version']}: {names}\n")
    done = sum("vulns" in row for row in rows)
    if bad:
        return 1
    if done < len(parts):
        sys.stderr.write(
            f"audit: NOT DONE, {len(parts) - done} of {len(parts)} packages could not be looked up: the registry that "
            "this machine reaches tells nothing of vulnerabilities. Run it where PyPI or OSV answers.\n"
        )
        return UNREACHABLE
    sys.stdout.write(f"audit: nothing is known against {done} packages\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
