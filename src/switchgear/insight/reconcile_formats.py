"""Providers' own figures, read from the files that they export.

Several shapes are known for each provider, told apart by their columns; extra columns are ignored. Days
are the provider's: UTC. Sources: the columns of the exports of platform.openai.com and
platform.claude.com as seen in files of 2025 and 2026, and the field names of their usage and cost APIs.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from switchgear.money import NANO_PER_USD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["PROVIDERS", "BadBill", "BillLine", "base_model", "formats", "read_bill"]

PROVIDERS: Final = ("openai", "anthropic", "generic")
"""Whose files can be read."""


class BadBill(ValueError):
    """The file can't be compared; *str()* of it says where and what is expected."""


class BillLine(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says of one day and one model.

    Attributes:
        model: as the ledger would call it (see *base_model*); None: the file does not tell models apart.
        input_tokens: all input, cached included; None: the file has no tokens. *output_tokens* likewise.
        cost: nano-USD; None: the file has no money.
    """

    day: dt.date
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost: int | None


class _Shape(NamedTuple):
    """One kind of file. Each part is a tuple of column names that may stand for it, or are added up."""

    title: str
    day: tuple[str, ...]
    model: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    cost: tuple[str, ...] = ()
    currency: tuple[str, ...] = ()
    name: Callable[[str], str] = str
    model_needed: bool = True

    @property
    def columns(self) -> list[str]:
        """What the file must have, alternatives with a stroke between them."""
        needed = [self.day, *([self.model] if self.model_needed else ())]
        needed += [(one,) for one in (*self.inputs[:1], *self.outputs[:1], *self.cost[:1])]
        return ["|".join(part) for part in needed]

    def fits(self, header: Iterable[str]) -> bool:
        """Tell whether *header* has all that is needed."""
        known = set(header)
        return all(known & set(part.split("|")) for part in self.columns)


_DATED: Final = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8})$")
_BUCKET: Final = ("start_time_iso", "start_time", "usage_date_utc", "date")


def _line_item(text: str) -> str:
    """Return the model of a line such as ``gpt-4o-2024-08-06, cached input``."""
    return text.partition(",")[0]


def _displayed(text: str) -> str:
    """Return the id behind a name such as ``Claude Haiku 4.5``."""
    return re.sub(r"[\s.]+", "-", text.strip().lower())


_GENERIC: Final = (
    _Shape("tokens and cost", ("date",), ("model",), ("input_tokens",), ("output_tokens",), ("cost_usd",)),
    _Shape("tokens", ("date",), ("model",), ("input_tokens",), ("output_tokens",)),
    _Shape("cost", ("date",), ("model",), cost=("cost_usd",)),
)
_SHAPES: Final[Mapping[str, tuple[_Shape, ...]]] = {
    "openai": (
        _Shape("usage", _BUCKET, ("model", "snapshot_id"), ("input_tokens",), ("output_tokens",)),
        _Shape(
            "usage (legacy)",
            (*_BUCKET, "timestamp", "aggregation_timestamp", "usage_date"),
            ("snapshot_id", "model"),
            ("n_context_tokens_total",),
            ("n_generated_tokens_total",),
        ),
        _Shape(
            "cost",
            _BUCKET,
            ("line_item",),
            cost=("amount_value",),
            currency=("amount_currency",),
            name=_line_item,
            model_needed=False,
        ),
        _Shape("cost by model", _BUCKET, ("model",), cost=("cost_usd",)),
    ),
    "anthropic": (
        _Shape(
            "usage",
            ("usage_date_utc",),
            ("model_version", "model"),
            (
                "usage_input_tokens_no_cache",
                "usage_input_tokens_cache_write",
                "usage_input_tokens_cache_write_5m",
                "usage_input_tokens_cache_write_1h",
                "usage_input_tokens_cache_read",
            ),
            ("usage_output_tokens",),
            name=_displayed,
        ),
        _Shape(
            "usage (API)",
            ("usage_date_utc", "starting_at", "date"),
            ("model", "model_version"),
            ("uncached_input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
            ("output_tokens",),
            name=_displayed,
        ),
        _Shape("cost", ("usage_date_utc", "date"), ("model",), cost=("cost_usd",), name=_displayed),
    ),
    "generic": _GENERIC,
}


def formats(provider: str) -> dict[str, list[str]]:
    """Return each kind of file that is read of *provider*, with the columns that it must have; ``a|b``: either."""
    return {shape.title: shape.columns for shape in _SHAPES[provider]}


def base_model(name: str) -> str:
    """Return *name* without its date, in small letters: the name under which both sides are compared."""
    return _DATED.sub("", name.strip().lower())


def read_bill(file: Path, provider: str) -> tuple[BillLine, ...]:
    """Return the lines of *file*, one for each day and model, in order.

    Raises:
        BadBill: it can't be read, has other columns, or a value is none.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            table = csv.DictReader(lines)
            shape = _shape_of(table.fieldnames or [], provider, file)
            found = list(_read(table, shape, file))
    except OSError as error:
        msg = f"{file}: can't be read: {error.strerror}"
        raise BadBill(msg) from None
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{file}: is not a CSV file in UTF-8: {error}"
        raise BadBill(msg) from None
    if not found:
        msg = f"{file}: has no line with usage or cost"
        raise BadBill(msg)
    return _summed(found)


def _shape_of(header: Sequence[str], provider: str, file: Path) -> _Shape:
    for shape in _SHAPES[provider]:
        if shape.fits(header):
            return shape
    known = "; ".join(f"{title}: {', '.join(columns)}" for title, columns in formats(provider).items())
    msg = f"{file}: has the columns {', '.join(header) or 'none'}. What is read of {provider} has: {known}"
    raise BadBill(msg)


def _read(table: csv.DictReader[str], shape: _Shape, file: Path) -> Iterator[tuple[BillLine, Decimal | None]]:
    for row in table:
        cells = {name: (value or "").strip() for name, value in row.items() if name}
        figures = [cells.get(name, "") for name in (*shape.inputs, *shape.outputs, *shape.cost)]
        if not any(figures):
            continue  # a span of time in which there was nothing
        where = f"{file}:{table.line_num}"
        for name in shape.currency:
            if cells.get(name, "").lower() not in {"", "usd"}:
                msg = f"{where}: {name}: only USD can be compared, not {cells[name]!r}"
                raise BadBill(msg)
        day_name, day = _first(cells, shape.day)
        _, model = _first(cells, shape.model)
        line = BillLine(
            day=_day(day, f"{where}: {day_name}"),
            model=base_model(shape.name(model)) if model else None,
            input_tokens=_tokens(cells, shape.inputs, where) if shape.inputs else None,
            output_tokens=_tokens(cells, shape.outputs, where) if shape.outputs else None,
            cost=None,
        )
        yield line, _number(cells[shape.cost[0]], f"{where}: {shape.cost[0]}") if shape.cost else None


def _first(cells: Mapping[str, str], names: Sequence[str]) -> tuple[str, str]:
    return next(((name, cells[name]) for name in names if cells.get(name)), (names[0], ""))


def _day(text: str, where: str) -> dt.date:
    try:
        if text.isdigit() and len(text) > len("20261124"):
            return dt.datetime.fromtimestamp(int(text), dt.UTC).date()
        found = dt.datetime.fromisoformat(text)
        return (found.astimezone(dt.UTC) if found.tzinfo else found).date()
    except (ValueError, OverflowError, OSError):
        msg = f"{where}: not a day such as 2026-11-24: {text!r}"
        raise BadBill(msg) from None


def _tokens(cells: Mapping[str, str], names: Sequence[str], where: str) -> int:
    total = Decimal(0)
    for name in names:
        if cells.get(name):
            total += _number(cells[name], f"{where}: {name}")
    if total != int(total):
        msg = f"{where}: {names[0]}: tokens are whole numbers"
        raise BadBill(msg)
    return int(total)


_NUMBER: Final = re.compile(r"\$?(-?[\d,]{1,24}(?:\.\d{0,24})?(?:[eE][+-]?\d{1,2})?)")


def _number(text: str, where: str) -> Decimal:
    match = _NUMBER.fullmatch(text)
    if match is None or not any(map(str.isdigit, text)):
        msg = f"{where}: not a number: {text!r}"
        raise BadBill(msg)
    return Decimal(match[1].replace(",", ""))


def _summed(lines: Iterable[tuple[BillLine, Decimal | None]]) -> tuple[BillLine, ...]:
    """Add up what is of one day and model; providers' amounts are finer than a nano-USD, so round once."""
    sums: dict[tuple[dt.date, str | None], list[Decimal | None]] = {}
    for line, cost in lines:
        new = [None if value is None else Decimal(value) for value in (line.input_tokens, line.output_tokens)] + [cost]
        known = sums.get((line.day, line.model))
        sums[line.day, line.model] = new if known is None else list(map(_plus, known, new))
    return tuple(
        BillLine(
            day=day,
            model=model,
            input_tokens=None if tokens_in is None else int(tokens_in),
            output_tokens=None if tokens_out is None else int(tokens_out),
            cost=None if cost is None else round(cost * NANO_PER_USD),
        )
        for (day, model), (tokens_in, tokens_out, cost) in sorted(
            sums.items(), key=lambda item: (item[0][0], item[0][1] or "")
        )
    )


def _plus(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other
