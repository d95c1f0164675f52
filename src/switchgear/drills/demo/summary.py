"""What the demo comes to: as its clients saw it, as the ledger has it, as the upstreams counted it."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from switchgear.insight.metrics import plain
from switchgear.ledger import Ledger
from switchgear.money import to_usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from switchgear.clock import Clock
    from switchgear.drills.demo.clients import Sent
    from switchgear.drills.demo.stage import Stage
    from switchgear.ledger.reader import LedgerReader
    from switchgear.ledger.views import CallRow

__all__ = ["Line", "Summary", "problems", "summary_of"]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One service's share."""

    service: str
    calls: int
    ok: int
    failed: int
    refused: int
    tokens: int
    cost_usd: Decimal


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The demo in figures.

    Attributes:
        calls: what the clients sent; *ok*, *failed* and *refused* add up to it.
        by_reason: refusals by ``budget``, ``skip``, ``breaker``, ...
        tokens: in and out, as the ledger has them; likewise *cost_usd*.
        ledger_rows: rows of calls that went out.
        upstream_served: requests that the upstreams answered, counted at them.
        breaker_opened: a breaker opened; *breaker_recovered*: and the same one closed again.
        text: a sample of the model's answers.
        memory_mb: resident memory of the server.
    """

    calls: int
    ok: int
    failed: int
    refused: int
    by_reason: dict[str, int]
    tokens: int
    cost_usd: Decimal
    ledger_rows: int
    upstream_served: int
    breaker_opened: bool
    breaker_recovered: bool
    text: str
    model: str
    real_model: bool
    dashboard: str
    memory_mb: float | None
    services: tuple[Line, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        found: dict[str, Any] = plain(self)
        return found


def summary_of(stage: Stage, sent: Sequence[Sent], *, clock: Clock, real_model: bool) -> tuple[Summary, list[str]]:
    """Count everything, and return it with what does not add up."""
    with Ledger.open(stage.ledger_url, clock=clock, writable=False) as ledger:
        rows = tuple(_all_calls(ledger.reader))
        changes = [event.what for event in reversed(ledger.reader.events(kind="breaker_changed", limit=500))]
    opened = {change["service"] for change in changes if change["new"] == "open"}
    closed = {change["service"] for change in changes if change["new"] == "closed"}
    refusals = Counter(one.refused_by for one in sent if one.refused_by is not None)
    failed = sum(one.failed for one in sent)
    memory = stage.server.memory_mb()
    summary = Summary(
        calls=len(sent),
        ok=len(sent) - failed - refusals.total(),
        failed=failed,
        refused=refusals.total(),
        by_reason=dict(sorted(refusals.items())),
        tokens=sum(_tokens(row) for row in rows),
        cost_usd=to_usd(sum(row.cost or 0 for row in rows)),
        ledger_rows=sum(row.status != "refused" for row in rows),
        upstream_served=stage.upstream_served(),
        breaker_opened=bool(opened),
        breaker_recovered=bool(opened & closed),
        text=next((one.text.strip() for one in sent if one.service == "local" and one.text), ""),
        model=stage.model,
        real_model=real_model,
        dashboard=f"{stage.url}/",
        memory_mb=None if memory is None else round(memory, 1),
        services=tuple(_line(name, rows) for name in sorted({row.service for row in rows})),
    )
    return summary, list(problems(summary, rows))


def problems(summary: Summary, rows: Sequence[CallRow]) -> Iterator[str]:
    """Yield, as sentences, what the demo promises and does not show."""
    if summary.upstream_served != summary.ledger_rows:
        yield f"the upstreams served {summary.upstream_served} calls and the ledger has {summary.ledger_rows}"
    statuses: Counter[str] = Counter(row.status for row in rows)
    seen = {"ok": summary.ok, "failed": summary.failed, "refused": summary.refused}
    for status in sorted(seen.keys() | statuses.keys()):
        if seen.get(status, 0) != statuses[status]:
            yield f"the clients saw {seen.get(status, 0)} calls {status} and the ledger has {statuses[status]}"
    reasons = Counter(row.refused_by for row in rows if row.refused_by is not None)
    if dict(reasons) != summary.by_reason:
        yield f"the clients were refused by {summary.by_reason} and the ledger says {dict(reasons)}"
    if not summary.by_reason.get("budget"):
        yield "no call was refused by a budget"
    if not summary.breaker_opened:
        yield "no breaker opened"
    elif not summary.breaker_recovered:
        yield "the breaker that opened did not close again"
    if not summary.text:
        yield "the model said nothing"


def _all_calls(reader: LedgerReader) -> Iterator[CallRow]:
    page = reader.calls(limit=500)
    yield from page.items
    while page.next is not None:
        page = reader.calls(limit=500, after=page.next)
        yield from page.items


def _line(service: str, rows: Sequence[CallRow]) -> Line:
    own = [row for row in rows if row.service == service]
    statuses = Counter(row.status for row in own)
    return Line(
        service=service,
        calls=len(own),
        ok=statuses["ok"],
        failed=statuses["failed"],
        refused=statuses["refused"],
        tokens=sum(_tokens(row) for row in own),
        cost_usd=to_usd(sum(row.cost or 0 for row in own)),
    )


def _tokens(row: CallRow) -> int:
    """A refused call used nothing; its row says what it would have used at most."""
    return 0 if row.status == "refused" else row.input_tokens + row.output_tokens
