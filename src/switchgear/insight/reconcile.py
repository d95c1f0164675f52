"""A provider's figures beside the ledger's, by day and model: the difference, and what it probably is."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.clock import MICROS
from switchgear.insight.days import from_micros, to_micros
from switchgear.insight.reconcile_formats import BadBill, base_model
from switchgear.money import NANO_PER_USD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from switchgear.insight.reconcile_formats import BillLine
    from switchgear.insight.sources import CallLedger

__all__ = ["Booked", "Comparison", "Reconciliation", "reconcile"]

_DAY_US: Final = 86_400 * MICROS
_CENT: Final = NANO_PER_USD // 100
_CLOSE: Final = 200  # half a percent
_HALF: Final = (0.45, 0.55)


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger has of one day and model.

    Attributes:
        tokens: in and out; *estimated_tokens* of it are of calls with an estimate among them.
        cost: nano-USD of priced calls; *estimated_cost* likewise.
        unpriced: calls without a price: their cost is in no number.
        orphaned: calls of a process that died, counted at their worst case.
        estimated: calls whose usage is our estimate, orphans included.
    """

    calls: int = 0
    tokens: int = 0
    cost: int = 0
    unpriced: int = 0
    orphaned: int = 0
    estimated: int = 0
    estimated_tokens: int = 0
    estimated_cost: int = 0


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One day and one model.

    Attributes:
        model: None: the provider does not tell models apart.
        billed_tokens: by the provider, in and out; None: its file has none. *billed_cost* likewise.
        agrees: tokens are equal, and money is to half a percent or a cent.
        reason: what the difference probably is; None where there is none.
    """

    day: dt.date
    model: str | None
    billed_tokens: int | None
    billed_cost: int | None
    booked: Booked
    agrees: bool
    reason: str | None

    @property
    def tokens_missing(self) -> int | None:
        """What the provider has and the ledger has not; negative: the other way round."""
        return None if self.billed_tokens is None else self.billed_tokens - self.booked.tokens

    @property
    def cost_missing(self) -> int | None:
        """The same in nano-USD."""
        return None if self.billed_cost is None else self.billed_cost - self.booked.cost


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """Every day and model that either side has, in order."""

    first: dt.date
    last: dt.date
    lines: tuple[Comparison, ...]

    @property
    def agrees(self) -> bool:
        """Whether there is no difference at all."""
        return all(line.agrees for line in self.lines)


def reconcile(bill: Sequence[BillLine], ledger: CallLedger, services: Iterable[str]) -> Reconciliation:
    """Compare *bill*, at least one line, with what *ledger* has of *services* on the same days (UTC).

    Raises:
        BadBill: the ledger has nothing at all of these days.
        LedgerError: the ledger can't be read.
    """
    first, last = bill[0].day, bill[-1].day
    names = set(services)
    by_model = all(line.model is not None for line in bill)
    booked = _booked(ledger, names, first, last, by_model=by_model)
    if not booked:
        raise BadBill(_other_time(ledger, names, first, last))
    billed: dict[tuple[dt.date, str | None], BillLine] = {}
    for line in bill if by_model else _by_day(bill):
        billed[line.day, line.model] = line
    keys = sorted({*billed, *booked}, key=lambda key: (key[0], key[1] or ""))
    missing = {key: _missing(billed.get(key), booked.get(key)) for key in keys}
    has_tokens = any(_tokens_of(line) is not None for line in bill)
    lines = [
        _comparison(key, billed.get(key), booked.get(key), _neighbours(key, missing), has_tokens=has_tokens)
        for key in keys
    ]
    return Reconciliation(first=first, last=last, lines=tuple(lines))


def _tokens_of(line: BillLine) -> int | None:
    if line.input_tokens is None or line.output_tokens is None:
        return None
    return line.input_tokens + line.output_tokens


def _by_day(bill: Iterable[BillLine]) -> list[BillLine]:
    """Add up *bill* by day: where one line does not name its model, none can be compared by model."""
    days: dict[dt.date, BillLine] = {}
    for line in bill:
        known = days.get(line.day)
        days[line.day] = msgspec.structs.replace(
            line,
            model=None,
            input_tokens=line.input_tokens if known is None else _plus(known.input_tokens, line.input_tokens),
            output_tokens=line.output_tokens if known is None else _plus(known.output_tokens, line.output_tokens),
            cost=line.cost if known is None else _plus(known.cost, line.cost),
        )
    return list(days.values())


def _plus(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _booked(
    ledger: CallLedger, services: set[str], first: dt.date, last: dt.date, *, by_model: bool
) -> dict[tuple[dt.date, str | None], Booked]:
    since = to_micros(dt.datetime.combine(first, dt.time(), dt.UTC))
    until = to_micros(dt.datetime.combine(last, dt.time(), dt.UTC)) + _DAY_US
    found: dict[tuple[dt.date, str | None], Booked] = {}
    rows = ledger.totals(since=since, until=until, by=("service", "model", "status"), bucket_us=_DAY_US)
    for row in rows:
        if row.group["service"] not in services or row.refused:
            continue
        model = base_model(row.group["model"] or "(none)") if by_model else None
        key = (from_micros(row.bucket or 0).date(), model)
        tokens = row.input_tokens + row.output_tokens
        known = found.get(key, Booked())
        unsure = row.estimated > 0
        found[key] = Booked(
            calls=known.calls + row.calls,
            tokens=known.tokens + tokens,
            cost=known.cost + row.cost,
            unpriced=known.unpriced + row.unpriced,
            orphaned=known.orphaned + row.orphaned,
            estimated=known.estimated + row.estimated,
            estimated_tokens=known.estimated_tokens + (tokens if unsure else 0),
            estimated_cost=known.estimated_cost + (row.cost if unsure else 0),
        )
    return found


def _other_time(ledger: CallLedger, services: set[str], first: dt.date, last: dt.date) -> str:
    rows = ledger.totals(by=("service",), bucket_us=_DAY_US)
    days = [from_micros(row.bucket or 0).date() for row in rows if row.group["service"] in services]
    names = ", ".join(sorted(services)) or "none"
    if not days:
        return f"the ledger has no calls to the services that this provider bills ({names})"
    return (
        f"the file is about {first} to {last} (UTC), and of these days the ledger has no calls to {names}; "
        f"it has them from {min(days)} to {max(days)}: export these days"
    )


def _missing(line: BillLine | None, booked: Booked | None) -> int:
    """Return what the ledger lacks, in tokens or, without them, in nano-USD."""
    ours = booked or Booked()
    tokens = None if line is None else _tokens_of(line)
    if tokens is not None:
        return tokens - ours.tokens
    if line is not None and line.cost is not None:
        return line.cost - ours.cost
    return -ours.tokens


def _neighbours(key: tuple[dt.date, str | None], missing: Mapping[tuple[dt.date, str | None], int]) -> list[int]:
    day, model = key
    around = [(day + dt.timedelta(days=step), model) for step in (-1, 1)]
    return [missing[one] for one in around if one in missing]


def _comparison(
    key: tuple[dt.date, str | None],
    line: BillLine | None,
    booked: Booked | None,
    neighbours: list[int],
    *,
    has_tokens: bool,
) -> Comparison:
    ours = booked or Booked()
    tokens = None if line is None else _tokens_of(line)
    cost = None if line is None else line.cost
    if line is None:
        # A file that has tokens, or money, says with a line that is not there that it is 0.
        tokens, cost = (0, None) if has_tokens else (None, 0)
    is_near = cost is None or abs(cost - ours.cost) <= max(_CENT, abs(cost) // _CLOSE)
    agrees = is_near and tokens in {None, ours.tokens}
    reason = None if agrees else next(_reasons(tokens, cost, ours, neighbours, is_billed=line is not None))
    return Comparison(
        day=key[0],
        model=key[1],
        billed_tokens=tokens,
        billed_cost=cost,
        booked=ours,
        agrees=agrees,
        reason=reason,
    )


def _reasons(
    tokens: int | None, cost: int | None, ours: Booked, neighbours: list[int], *, is_billed: bool
) -> Iterator[str]:
    """Yield what the difference may be, the likeliest first."""
    more = (cost or 0) - ours.cost if tokens is None else tokens - ours.tokens
    if any(more * other < 0 and abs(more + other) * 20 <= abs(more) for other in neighbours):
        yield "calls around midnight lie in the day beside it: the time zone of the file, or a clock"
    if not ours.calls:
        yield "calls outside Switchgear: another key, another machine, the provider's own pages"
    if not is_billed:
        yield "nothing on the provider's side: another account, calls that it does not bill, or too early a file"
    if tokens is not None and more == 0:
        yield from _reasons_of_money(cost or 0, ours)
    unsure = ours.estimated_cost if tokens is None else ours.estimated_tokens
    if 0 < -more <= unsure:
        orphans = f"{ours.orphaned:,} orphaned calls count at their worst case here"
        yield orphans if ours.orphaned else f"{ours.estimated:,} calls count with an estimate here"
    if tokens is None:
        yield from _reasons_of_money(cost or 0, ours)
    if more > 0:
        yield "calls outside Switchgear, beside those that went through it"
    yield "the provider does not bill all of these calls, or too early a file"


def _reasons_of_money(cost: int, ours: Booked) -> Iterator[str]:
    if ours.unpriced and cost > ours.cost:
        yield f"{ours.unpriced:,} calls have no price here, so their cost is missing"
    if ours.cost and _HALF[0] <= cost / ours.cost <= _HALF[1]:
        yield "half the price: batch or flex tier"
    if cost < ours.cost:
        yield "a lower price: a discount, credits, free tokens, or another tier"
    yield "a higher price (another tier, a price that changed, tax), or calls outside Switchgear"
