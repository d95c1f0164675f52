"""``make audit`` lists what users install, and never calls something clean that it has not looked up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scripts.audit import UNREACHABLE, closure, verdict

ROOT = Path(__file__).parent.parent
PARTS = {"a": "1", "b": "2"}


def row(name: str, *vulns: str) -> dict[str, Any]:
    """Return what pip-audit says of a package that it has looked up."""
    return {"name": name, "version": "1", "vulns": [{"id": one, "fix_versions": ["9"]} for one in vulns]}


def test_what_users_install_is_listed_and_nothing_else() -> None:
    """The extras' packages and what those need are in it, with a version; the tools of development are not."""
    found = closure("switchgear", frozenset({"all", "tokens"}))
    names = {name.lower() for name in found}

    assert names >= {"sqlalchemy", "httpx2", "fastapi", "starlette", "redis", "psycopg", "openai", "h11"}
    assert names.isdisjoint({"pytest", "mypy", "ruff", "schemathesis", "switchgear"})
    assert all(found.values())


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([row("a"), row("b")], 0),
        ([row("a"), row("b", "CVE-1")], 1),
        ([row("a"), {"name": "b", "skip_reason": "not found"}], UNREACHABLE),
        ([{"name": "a", "skip_reason": "not found"}, row("b", "CVE-1")], 1),
        ([], UNREACHABLE),
    ],
)
def test_only_what_was_looked_up_can_be_clean(rows: list[dict[str, Any]], code: int) -> None:
    """A package that the registry says nothing of makes the audit fail, and so does one with a known weakness."""
    assert verdict(PARTS, rows) == code


@pytest.mark.e2e
def test_the_bill_of_materials_is_made_and_made_the_same(tmp_path: Path) -> None:
    """CycloneDX with every package, its version and address, no place of this machine, and the same bytes twice."""
    files = []
    for name in ("one", "two"):
        command = [sys.executable, str(ROOT / "scripts/audit.py"), "--bill-only", "--out", str(tmp_path / name)]
        subprocess.run(command, check=True, capture_output=True)
        files.append((tmp_path / name / "sbom.cdx.json").read_text(encoding="utf-8"))
    bill = json.loads(files[0])

    assert files[0] == files[1]
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "switchgear")
    assert {one["name"]: one["version"] for one in bill["components"]} == closure(
        "switchgear", frozenset({"all", "tokens"})
    )
    assert all(one["purl"].startswith("pkg:pypi/") for one in bill["components"])
    assert str(ROOT) not in files[0]
