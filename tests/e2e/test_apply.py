"""`switchgear apply` as a stranger runs it, with the model on this machine and no configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pypdfium2  # type: ignore[import-untyped]  # it brings no types
import pytest

from switchgear.local import MODEL, missing

pytestmark = pytest.mark.e2e

POSTING = """\
Staff Data Engineer at Acme Payments

Acme Payments moves money for 40,000 shops. You will own the pipelines behind the daily settlement report.
The report takes eleven hours today and must take two. You bring Python, SQL and Airflow. Kafka is a plus.
"""
CV = """\
# Zoë Łukasiewicz

zoe@example.org

## Experience

### Data Engineer, Globex (2019 - present)
- Cut month-end close from nine days to three.
- Built 40 pipelines in Python and Airflow.

## Skills
Python, SQL, Airflow
"""


def text_of(pdf: Path) -> str:
    """Return the text of a PDF, in one line."""
    with pypdfium2.PdfDocument(pdf) as document:
        return " ".join(" ".join(page.get_textpage().get_text_range() for page in document).split())


@pytest.mark.timeout(400)
def test_an_application_from_a_fresh_folder(tmp_path: Path) -> None:
    """One command makes PDFs whose every sentence is from the CV or frames it; given again, it pays for nothing."""
    assert missing() is None, missing()
    (tmp_path / "posting.md").write_text(POSTING, encoding="utf-8")
    (tmp_path / "cv.md").write_text(CV, encoding="utf-8")
    command = [sys.executable, "-m", "switchgear", "apply", "posting.md", "--cv", "cv.md", "--page", "letter", "--json"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["status"] == "ok"
    assert told["application"]["facts"]["role"].startswith("Staff Data Engineer")
    assert all(line["ground"] != "refused" for line in told["application"]["draft"]["report"])
    cv, letter = (text_of(tmp_path / told["files"][name]) for name in ("cv", "letter"))
    assert "Zoë Łukasiewicz" in cv
    assert "Data Engineer, Globex" in cv
    assert "nine days to three" in cv
    assert "I am applying for" in letter
    assert "This is what I bring to it:" in letter
    assert f"starting {MODEL}" in done.stderr
    lines = [line.split()[:2] for line in done.stderr.splitlines() if " ok " in line]
    assert [name for name, _ in lines] == [
        "check", "posting", "needs", "research", "fit", "draft", "gate", "pdf", "record",
    ]  # fmt: skip
    assert json.loads(again.stdout)["application"] == told["application"]
    # Without a configuration the records are beside the ledger, in the folder of the application.
    ledger = {**os.environ, "SWITCHGEAR_LEDGER__URL": f"sqlite:///{tmp_path}/applications/posting/switchgear.db"}
    listing = [*command[:3], "applications", "list", "--json"]
    listed = subprocess.run(listing, cwd=tmp_path, capture_output=True, text=True, check=False, env=ledger)
    (record,) = json.loads(listed.stdout)["items"]
    assert (record["status"], record["company"]) == ("ready", told["application"]["facts"]["company"])
