from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

MONTH = ("costs", "report", "--month", "2026-11")


def test_the_report_of_a_month(filled: Path, run: Run) -> None:
    """The sum with its unpriced calls first, then a table for each of six names."""
    result = run(*MONTH)

    assert result.code == 0
    assert "spent            $0.0018\nunpriced calls   0\n" in result.out
    heads = [line.split()[0] for line in result.out.splitlines() if "UNPRICED" in line]
    assert heads == ["SERVICE", "PROVIDER", "MODEL", "LAYER", "JOB", "KEY"]
    assert result.out.count("total ") == 6


def test_json_csv_and_html_are_the_same_report(filled: Path, run: Run) -> None:
    """Each shape has the same sum."""
    found: dict[str, Any] = json.loads(run(*MONTH, "--json").out)
    lines = list(csv.DictReader(io.StringIO(run(*MONTH, "--format", "csv").out)))
    page = run(*MONTH, "--format", "html").out

    assert found["total"]["cost_usd"] == lines[-1]["cost_usd"] == "0.00176"
    assert page.startswith("<!doctype html>")
    assert "$0.0018" in page


def test_a_report_can_be_written_to_a_file(filled: Path, run: Run) -> None:
    """`--out` writes it, and standard output stays empty."""
    result = run("costs", "report", "--day", "2026-11-24", "--format", "html", "--out", "day.html")

    assert result == (0, "", "Wrote day.html.\n")
    assert (filled / "day.html").read_text(encoding="utf-8").endswith("</html>\n")


def test_by_run_and_by_tag(filled: Path, run: Run) -> None:
    """What roll-ups do not have is read from the rows; the sum stays the same."""
    for by in ("run", "tag.team", "model,layer"):
        found: dict[str, Any] = json.loads(run(*MONTH, "--by", by, "--json").out)
        (part,) = found["parts"]
        assert part["by"] == by.split(",")
        assert sum(row["calls"] for row in part["rows"]) == found["total"]["calls"] == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--month", "11/2026"), "--month: '11/2026' is no month such as 2026-11."),
        (("--month", "2026-11", "--day", "2026-11-24"), "--day: month and day are given"),
        (("--by", "colour"), "valid are service, provider"),
        (("--month", "2026-11", "--out", "x"), "--out needs --format json, csv or html"),
        (("--month", "2026-11", "--json", "--format", "csv"), "--json contradicts --format csv"),
        (("--month", "2026-11", "--format", "csv", "--out", "no/such/file"), "can't be written: No such file"),
        (("--from", "2026-11-24", "--to", "2026-11-01"), "--to: '2026-11-01' is not after"),
    ],
)
def test_a_wrong_question_is_a_usage_error(words: tuple[str, ...], said: str, filled: Path, run: Run) -> None:
    """Exit code 2, and what is valid."""
    result = run("costs", "report", *words)

    assert (result.code, result.out) == (2, "")
    assert said in result.err
