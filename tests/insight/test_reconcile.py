from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from switchgear.insight.reconcile import reconcile
from switchgear.insight.reconcile_formats import BadBill, BillLine, base_model, read_bill
from switchgear.ledger.views import Totals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from switchgear.insight.reconcile import Comparison
    from switchgear.insight.sources import CallLedger

DAY = dt.date(2026, 11, 2)
DAY_US = 86_400_000_000
START = 1_793_577_600_000_000
"""2026-11-02T00:00:00Z."""

OPENAI_USAGE = """\
start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,model,batch,input_tokens,\
output_tokens,input_cached_tokens
1793577600,1793664000,2026-11-02T00:00:00+00:00,2026-11-03T00:00:00+00:00,p1,3.0,gpt-4o-2024-08-06,,100,20,30
1793577600,1793664000,2026-11-02T00:00:00+00:00,2026-11-03T00:00:00+00:00,p2,1.0,gpt-4o-2024-08-06,False,5,1,0
1793664000,1793750400,2026-11-03T00:00:00+00:00,2026-11-04T00:00:00+00:00,,,,,,,
"""
OPENAI_COST = """\
start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item
1793577600,1793664000,2026-11-02T00:00:00+00:00,2026-11-03T00:00:00+00:00,0.0012345678912,usd,"gpt-4o-2024-08-06, input"
1793577600,1793664000,2026-11-02T00:00:00+00:00,2026-11-03T00:00:00+00:00,1.5e-3,usd,"gpt-4o-2024-08-06, output"
"""
OPENAI_COST_BY_DAY = """\
start_time,end_time,amount_value,amount_currency
1793577600,1793664000,0.25,usd
1793664000,1793750400,,
"""
OPENAI_OLD = """\
timestamp,snapshot_id,n_context_tokens_total,n_generated_tokens_total
1793577600,gpt-4o-2024-08-06,105,21
"""
ANTHROPIC_USAGE = """\
usage_date_utc,model_version,api_key,workspace,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,\
usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count
2026-11-02,claude-haiku-4-5-20251001,k,Default,"1,000",10,20,300,40,0
"""
ANTHROPIC_COST = """\
usage_date_utc,model,workspace,token_type,cost_usd,list_price_usd
2026-11-02,Claude Haiku 4.5,Default,input_no_cache,0.05,0.05
2026-11-02,Claude Haiku 4.5,Default,output,0.02,0.02
"""
GENERIC = """\
date,model,input_tokens,output_tokens,cost_usd
2026-11-02,house,7,3,$1.25
"""


def bill(tmp_path: Path, text: str, provider: str) -> list[tuple[str, str | None, int | None, int | None, int | None]]:
    """Return what is read of a file with *text*."""
    file = tmp_path / "export.csv"
    file.write_text(text, encoding="utf-8-sig")
    return [
        (str(one.day), one.model, one.input_tokens, one.output_tokens, one.cost) for one in read_bill(file, provider)
    ]


@pytest.mark.parametrize(
    ("provider", "text", "expected"),
    [
        ("openai", OPENAI_USAGE, ("2026-11-02", "gpt-4o", 105, 21, None)),
        ("openai", OPENAI_OLD, ("2026-11-02", "gpt-4o", 105, 21, None)),
        ("openai", OPENAI_COST, ("2026-11-02", "gpt-4o", None, None, 2_734_568)),
        ("openai", OPENAI_COST_BY_DAY, ("2026-11-02", None, None, None, 250_000_000)),
        ("anthropic", ANTHROPIC_USAGE, ("2026-11-02", "claude-haiku-4-5", 1330, 40, None)),
        ("anthropic", ANTHROPIC_COST, ("2026-11-02", "claude-haiku-4-5", None, None, 70_000_000)),
        ("generic", GENERIC, ("2026-11-02", "house", 7, 3, 1_250_000_000)),
        ("generic", "date,model,cost_usd\n2026-11-02,house,1\n", ("2026-11-02", "house", None, None, 1_000_000_000)),
    ],
)
def test_each_kind_of_file_is_read(provider: str, text: str, expected: tuple[object, ...], tmp_path: Path) -> None:
    """Rows of one day and model are added up, exactly and rounded once; empty spans of time are no lines."""
    assert bill(tmp_path, text, provider) == [expected]


@pytest.mark.parametrize(
    ("provider", "text", "said"),
    [
        (
            "openai",
            "a,b\n1,2\n",
            r"has the columns a, b\. What is read of openai has: usage: start_time_iso\|start_time",
        ),
        (
            "generic",
            "",
            r"has the columns none\. What is read of generic has: tokens and cost: date, model, input_tokens",
        ),
        ("generic", "date,model,cost_usd\n", r"has no line with usage or cost"),
        ("generic", "date,model,cost_usd\nMonday,m,1\n", r"csv:2: date: not a day such as 2026-11-24: 'Monday'"),
        ("generic", "date,model,cost_usd\n2026-11-02,m,much\n", r"csv:2: cost_usd: not a number: 'much'"),
        ("generic", "date,model,input_tokens,output_tokens\n2026-11-02,m,1.5,2\n", r"tokens are whole numbers"),
        ("openai", OPENAI_COST_BY_DAY.replace("usd", "eur"), r"amount_currency: only USD can be compared, not 'eur'"),
    ],
)
def test_a_file_of_something_else(provider: str, text: str, said: str, tmp_path: Path) -> None:
    """The error names the file, the line and what is expected."""
    with pytest.raises(BadBill, match=said):
        bill(tmp_path, text, provider)


def test_no_file(tmp_path: Path) -> None:
    """A file that can't be read is told as such; so is one that is no text."""
    with pytest.raises(BadBill, match="can't be read: No such file"):
        read_bill(tmp_path / "none.csv", "openai")
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadBill, match="is not a CSV file in UTF-8"):
        read_bill(tmp_path / "x.csv", "openai")


@pytest.mark.parametrize(
    ("name", "base"),
    [("gpt-4o-2024-08-06", "gpt-4o"), ("claude-opus-4-5-20251101", "claude-opus-4-5"), ("GPT-5 ", "gpt-5")],
)
def test_a_dated_model_goes_by_its_base_name(name: str, base: str) -> None:
    """Both sides may name a model with or without its date."""
    assert base_model(name) == base


class Books:
    """A ledger that has these sums."""

    def __init__(self, *rows: Totals) -> None:
        self.rows = rows

    def totals(self, *, since: int = 0, until: int = 1 << 60, **_: object) -> tuple[Totals, ...]:
        return tuple(row for row in self.rows if since <= (row.bucket or 0) < until)


def booked(
    tokens: int,
    cost: int,
    *,
    day: int = 0,
    model: str = "gpt-4o-2024-08-06",
    status: str = "ok",
    service: str = "openai",
    unpriced: int = 0,
    estimated: int = 0,
) -> Totals:
    """Return the sum of one call."""
    return Totals(
        group={"service": service, "model": model, "status": status},
        bucket=START + day * DAY_US,
        calls=1,
        input_tokens=tokens,
        cost=cost,
        unpriced=unpriced,
        estimated=estimated,
        **{status: 1},
    )


def billed(tokens: int | None, cost: int | None, *, day: int = 0, model: str | None = "gpt-4o") -> BillLine:
    """Return a line of a bill."""
    return BillLine(
        day=DAY + dt.timedelta(days=day),
        model=model,
        input_tokens=tokens,
        output_tokens=None if tokens is None else 0,
        cost=cost,
    )


def compared(lines: Sequence[BillLine], *rows: Totals) -> tuple[Comparison, ...]:
    """Compare *lines* with a ledger that has *rows*."""
    books: CallLedger = Books(*rows)  # type: ignore[assignment]  # totals is all that is asked
    return reconcile(lines, books, ["openai"]).lines


USD = 1_000_000_000


def test_equal_figures_agree() -> None:
    """Equal tokens and money to half a percent or a cent are no difference; other services are left out."""
    [one] = compared([billed(100, USD)], booked(100, USD + 4_000_000), booked(5, 5, service="other"))

    assert (one.agrees, one.reason, one.tokens_missing, one.cost_missing) == (True, None, 0, -4_000_000)


@pytest.mark.parametrize(
    ("lines", "rows", "reason"),
    [
        ([billed(100, None), billed(9, None, model="new")], [booked(100, 1)], "calls outside Switchgear: another key"),
        ([billed(150, None)], [booked(100, 1)], "calls outside Switchgear, beside those"),
        ([billed(90, None)], [booked(100, 1)], "the provider does not bill all of these calls"),
        ([billed(90, None)], [booked(80, 1), booked(20, 1, status="orphaned", estimated=1)], "1 orphaned calls"),
        ([billed(90, None)], [booked(80, 1), booked(20, 1, estimated=1)], "1 calls count with an estimate"),
        ([billed(100, USD)], [booked(100, 2 * USD)], "half the price: batch or flex"),
        ([billed(100, USD)], [booked(100, 3 * USD)], "a lower price: a discount"),
        ([billed(100, 2 * USD)], [booked(100, USD)], "a higher price"),
        ([billed(100, 2 * USD)], [booked(100, USD, unpriced=1)], "1 calls have no price here"),
        ([billed(None, 2 * USD)], [booked(100, USD, unpriced=1)], "1 calls have no price here"),
        ([billed(None, 2 * USD)], [booked(100, USD)], "a higher price (another tier, a price that changed, tax), or"),
        ([billed(100, None)], [booked(100, 1), booked(7, 1, model="gone")], "nothing on the provider's side"),
    ],
)
def test_the_likely_reason(lines: list[BillLine], rows: list[Totals], reason: str) -> None:
    """Each kind of difference is told by what it probably is."""
    reasons = [one.reason for one in compared(lines, *rows) if one.reason is not None]

    assert len(reasons) == 1
    assert reasons[0].startswith(reason)


def test_calls_around_midnight_are_recognised() -> None:
    """What one day has too much and the next too little is the time zone, not a loss."""
    lines = compared([billed(150, None), billed(50, None, day=1)], booked(100, 1), booked(100, 1, day=1))

    assert {one.reason for one in lines} == {
        "calls around midnight lie in the day beside it: the time zone of the file, or a clock"
    }


def test_refused_calls_are_nobodys_cost() -> None:
    """A refusal never left, so no bill has it."""
    [one] = compared([billed(100, None)], booked(100, 1), booked(0, 0, status="refused", model="other"))

    assert one.agrees


def test_without_models_days_are_compared() -> None:
    """Where the file does not tell models apart, the ledger's are added up."""
    lines = [billed(None, USD, model=None), billed(None, USD, model="gpt-4o")]
    [one] = compared(lines, booked(1, USD), booked(1, USD, model="other"))

    assert (one.model, one.billed_cost, one.booked.cost, one.agrees) == (None, 2 * USD, 2 * USD, True)


def test_a_file_of_another_month() -> None:
    """If the ledger has nothing of the file's days, the error says of which days it has something."""
    with pytest.raises(
        BadBill, match=r"is about 2026-11-02 to 2026-11-02 .* from 2026-11-12 to 2026-11-12: export these"
    ):
        compared([billed(1, None)], booked(1, 1, day=10))
    with pytest.raises(BadBill, match="the ledger has no calls to the services that this provider bills"):
        compared([billed(1, None)])
