from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

HEADER = "date,model,input_tokens,output_tokens,cost_usd\n"


@pytest.fixture
def bill(filled: Path) -> Path:
    """A file that says what the ledger says: two calls of 840 tokens."""
    file = filled / "bill.csv"
    file.write_text(HEADER + "2026-11-24,house,1600,80,0.00176\n")
    return file


def test_figures_that_agree(bill: Path, run: Run) -> None:
    """Equal figures are exit code 0, also with --check."""
    result = run(
        "costs",
        "reconcile",
        "--provider",
        "generic",
        "--file",
        "bill.csv",
        "--service",
        "openai",
        "--month",
        "2026-11",
        "--check",
    )

    assert result.code == 0
    assert result.out.splitlines()[1].split() == [
        "2026-11-24",
        "house",
        "1,680",
        "1,680",
        "$0.0018",
        "$0.0018",
        "agrees",
    ]
    assert (
        result.err
        == "2026-11-24 to 2026-11-24 (UTC): 1 of 1 lines agree; billed beyond the ledger: +0 tokens and +$0.00.\n"
    )


def test_figures_that_differ(bill: Path, run: Run) -> None:
    """Each line says by how much and why; --check turns a difference into exit code 3."""
    bill.write_text(HEADER + "2026-11-24,house,2000,80,0.00176\n2026-11-24,other,1,1,0.5\n")
    words = ("costs", "reconcile", "--provider", "generic", "--file", "bill.csv", "--service", "openai")

    found = json.loads(run(*words, "--json").out)

    assert found["agrees"] is False
    assert [(one["model"], one["tokens_difference"], one["usd_difference"]) for one in found["items"]] == [
        ("house", 400, "0"),
        ("other", 2, "0.5"),
    ]
    assert all("outside Switchgear" in one["reason"] for one in found["items"])
    assert (run(*words).code, run(*words, "--check").code) == (0, 3)


def test_a_provider_bills_its_own_services(bill: Path, run: Run) -> None:
    """Which services a file is about follows from the configuration."""
    (bill.parent / "openai.csv").write_text("date,model,cost_usd\n2026-11-24,house,1\n")

    found = json.loads(run("costs", "reconcile", "--provider", "openai", "--file", "openai.csv", "--json").out)

    assert (found["provider"], found["services"]) == ("openai", ["openai"])


@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("a,b\n1,2\n", (), "bill.csv: has the columns a, b. What is read of generic has: tokens and cost: date, model"),
        (
            HEADER + "2026-10-01,house,1,1,1\n",
            (),
            "is about 2026-10-01 to 2026-10-01 (UTC), and of these days the ledger has no",
        ),
        (HEADER + "2026-11-24,house,1,1,1\n", ("--month", "2026-10"), "is about 2026-11, not only about 2026-10"),
        (HEADER, ("--month", "October"), "--month: 'October' is no month such as 2026-11"),
        (HEADER + "2026-11-24,house,1,1,1\n", ("--month", "Nov"), "--month: 'Nov' is no month"),
        (
            HEADER + "2026-11-24,house,1,1,1\n",
            ("--service", "opnai"),
            "there is no service 'opnai'; did you mean 'openai'?",
        ),
    ],
)
def test_bad_input(text: str, words: tuple[str, ...], said: str, bill: Path, run: Run) -> None:
    """Other columns, other days, names that are not there: exit code 2, with what is expected."""
    bill.write_text(text)

    result = run("costs", "reconcile", "--provider", "generic", "--file", "bill.csv", *words)

    assert result.code == 2
    assert said in result.err
