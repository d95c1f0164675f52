from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from switchgear.cli.calls import command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

# Fixed: the row of `/api/calls`.
ROW = """
    id call_id attempt started_at service endpoint model job run layer key tags status refused_by http_status error
    streamed estimated input_tokens output_tokens cache_read_tokens cache_write_tokens reasoning_tokens units
    reserved_usd cost_usd price_version waited_ms ttft_ms duration_ms trace_id span_id parent_span_id
""".split()  # noqa: SIM905 - as in the design


def listed(run: Run, *arguments: str) -> list[dict[str, Any]]:
    """Return the rows that `calls list` shows as JSON."""
    result = run("calls", "list", "--json", *arguments)
    assert (result.code, result.err) == (0, "")
    found: list[dict[str, Any]] = json.loads(result.out)["items"]
    return found


def test_the_row_is_the_fixed_one(filled: Path, run: Run) -> None:
    """`calls list --json` has the fields of `/api/calls`, in their order, newest call first."""
    rows = listed(run)

    assert [list(row) for row in rows] == [ROW] * 4
    assert [row["service"] for row in rows] == ["geocoder", "openai", "openai", "openai"]


def test_money_is_text_and_times_are_instants(filled: Path, run: Run) -> None:
    """Money is a decimal string, an instant RFC 3339 in UTC, a span milliseconds."""
    row = listed(run, "--layer", "research")[0]

    assert row["cost_usd"] == "0.00088"
    assert row["reserved_usd"] == "0.0011"
    assert row["started_at"] == "2026-11-24T12:00:00Z"
    assert row["duration_ms"] == 1500


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["--service", "openai"], 3),
        (["--job", "acme"], 2),
        (["--layer", "letter"], 1),
        (["--model", "house", "--status", "ok"], 2),
        (["--run", "none"], 0),
        (["--status", "failed"], 1),
        (["--outcome", "refused"], 1),
        (["--outcome", "refused-budget"], 1),
        (["--outcome", "refused-breaker"], 0),
        (["--outcome", "refused-budget", "--status", "refused"], 1),
        (["--limit", "3"], 3),
    ],
)
def test_filters_narrow_the_list(arguments: list[str], count: int, filled: Path, run: Run) -> None:
    """Each filter leaves only what matches it."""
    assert len(listed(run, *arguments)) == count


def test_pages_follow_each_other(filled: Path, run: Run) -> None:
    """`--after` with the `next` of a page goes on where it ended; the last page has none."""
    first = json.loads(run("calls", "list", "--json", "--limit", "3").out)
    second = json.loads(run("calls", "list", "--json", "--limit", "3", "--after", first["next"]).out)

    ids = [row["id"] for page in (first, second) for row in page["items"]]
    assert len(set(ids)) == 4
    assert second["next"] is None


def test_the_table_is_for_people(filled: Path, run: Run) -> None:
    """The table has no escapes, refused calls cost nothing, and where there is more it says how to go on."""
    result = run("calls", "list", "--limit", "3")

    lines = result.out.splitlines()
    assert lines[0].split()[:3] == ["TIME", "SERVICE", "MODEL"]
    assert "\x1b" not in result.out
    assert "refused: budget" in lines[2]
    assert "$0.00088" in lines[3]
    assert result.err.startswith("There are more: --after ")


def test_nothing_found_is_said(filled: Path, run: Run) -> None:
    """An empty answer is no table."""
    assert run("calls", "list", "--job", "nobody") == (0, "", "0 calls match.\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--status", "okay"], "'okay' is not one of"),
        (["--after", "zzz"], "--after: 'zzz' is not the `next` of a page."),
        (["--outcome", "refused", "--status", "ok"], "--status ok contradicts --outcome refused"),
        (["--limit", "0"], "0 is not in the range"),
        (["--job"], "requires an argument"),
    ],
)
def test_a_filter_that_makes_no_sense_is_a_usage_error(arguments: list[str], said: str, filled: Path, run: Run) -> None:
    """Wrong words are told on standard error, with exit code 2."""
    result = run("calls", "list", *arguments)

    assert (result.code, result.out) == (2, "")
    assert said in result.err


def test_a_call_is_shown_by_either_id(filled: Path, run: Run) -> None:
    """`calls show` takes the id of the call and that of an attempt, and says the same."""
    row = listed(run, "--layer", "letter")[0]

    by_call = run("calls", "show", row["call_id"], "--json")
    by_attempt = run("calls", "show", row["id"], "--json")

    assert by_call == by_attempt
    shown = json.loads(by_call.out)
    assert [rule["kind"] for rule in shown.pop("story")] == ["price", "limit", "breaker", "budget"]
    assert shown == {
        "call_id": row["call_id"],
        "attempts": [row],
        "refusal": None,
        "degraded_from": None,
    }


def test_a_refused_call_shows_the_decision(filled: Path, run: Run) -> None:
    """For people, a refusal tells the rule and its numbers."""
    row = listed(run, "--outcome", "refused")[0]

    result = run("calls", "show", row["id"])

    assert "outcome   refused: budget" in result.out
    assert "budget tiny has no room for this call" in result.out


def test_an_unknown_call_is_one_line(filled: Path, run: Run) -> None:
    """An id that the ledger does not have is exit code 2 and no stack of words."""
    result = run("calls", "show", "01NOTHING")

    assert result == (2, "", "Error: the ledger has no call '01NOTHING'; `switchgear calls list` shows what it has\n")


def test_without_a_ledger_it_can_not_be_reached(here: Path, run: Run) -> None:
    """No ledger yet is exit code 4, in a sentence."""
    result = run("calls", "list")

    assert (result.code, result.out) == (4, "")
    assert "does not exist yet" in result.err


def test_help_names_every_outcome() -> None:
    """The words of --outcome are in the help."""
    option = next(param for param in command.commands["list"].params if param.name == "outcome")

    assert "refused-budget" in str(getattr(option, "help", ""))
