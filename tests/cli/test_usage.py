from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


def test_usage_is_a_table_with_a_total(filled: Path, run: Run) -> None:
    """One line a group, the dearest first, and the ledger's sum with its unpriced calls below."""
    result = run("usage")

    lines = [line.split() for line in result.out.splitlines()]
    assert result.code == 0
    assert lines[0] == [
        "SERVICE",
        "CALLS",
        "FAILED",
        "IN",
        "CACHED",
        "OUT",
        "REASONING",
        "COST",
        "UNPRICED",
        "ESTIMATED",
    ]
    assert [line[:3] for line in lines[1:]] == [["openai", "3", "0"], ["geocoder", "1", "1"], ["total", "4", "1"]]
    assert lines[-1][7:9] == ["$0.0018", "0"]


def test_json_and_csv_have_the_same_numbers(filled: Path, run: Run) -> None:
    """Whatever the shape: each group has the same calls and cost."""
    words = ("usage", "--by", "job,layer", "--bucket", "day", "--from", "2026-11-24", "--to", "2026-11-24")
    found: dict[str, Any] = json.loads(run(*words, "--json").out)
    lines = list(csv.DictReader(io.StringIO(run(*words, "--csv").out)))

    assert [(line["calls"], line["cost_usd"]) for line in lines] == [
        (str(item["calls"]), item["cost_usd"]) for item in [*found["items"], found["total"]]
    ]
    assert {item["label"] for item in found["items"]} == {"2026-11-24"}
    assert found["total"]["cost_usd"] == "0.00176"


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (("--by", "provider"), ["openai", "3"]),
        (("--by", "status", "--metric", "calls"), ["ok", "2"]),
        (("--by", "tag.team"), ["-", "4"]),
        (("--by", "none", "--service", "openai"), ["3", "0"]),
        (("--bucket", "month", "--tz", "Asia/Kathmandu"), ["2026-11", "geocoder"]),
    ],
)
def test_groups_buckets_and_filters(words: tuple[str, ...], first: list[str], filled: Path, run: Run) -> None:
    """Anything can be cut by anything."""
    result = run("usage", *words)

    assert result.code == 0
    assert result.out.splitlines()[1].split()[:2] == first


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by", "modle"), "--by: 'modle' can't be grouped by; valid are service, provider"),
        (("--from", "soon"), "--from: 'soon' is not a date"),
        (("--from", "2026-11-24", "--to", "2026-11-23"), "--to: '2026-11-23' is not after"),
        (("--tz", "Vienna"), "--tz: 'Vienna' is no time zone"),
        (("--bucket", "year"), "'15min', 'hour'"),
        (("--json", "--csv"), "--json contradicts --csv"),
    ],
)
def test_a_wrong_question_is_a_usage_error(words: tuple[str, ...], said: str, filled: Path, run: Run) -> None:
    """Exit code 2, and what is valid."""
    result = run("usage", *words)

    assert (result.code, result.out) == (2, "")
    assert said in result.err


def test_no_calls_and_no_ledger(filled: Path, run: Run) -> None:
    """Nothing that matches is no error; no ledger is one."""
    assert run("usage", "--service", "zzz") == (0, "", "No calls match.\n")
    (filled / "switchgear.db").unlink()
    for file in filled.glob("switchgear.db-*"):
        file.unlink()
    result = run("usage")

    assert (result.code, result.out) == (4, "")
    assert "does not exist yet" in result.err
