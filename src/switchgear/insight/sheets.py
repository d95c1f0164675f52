"""Reports as CSV: one table, a header, one row a group, the total last. Numbers are the same as in JSON."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from switchgear.insight.metrics import plain
from switchgear.insight.usage import UsageSums

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchgear.insight.reports import CostReport, CostRow
    from switchgear.insight.usage import UsageReport

__all__ = ["costs_csv", "csv_name", "csv_text", "usage_csv"]

_SUMS: Final = UsageSums.__struct_fields__
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def usage_csv(report: UsageReport) -> str:
    """Return *report* as CSV. The last row, ``total`` in its first column, is what the ledger has in all."""
    header = ("row", "label", "start", "end", *report.by, *_SUMS, "not_kept")
    lines: list[Sequence[object]] = [
        (
            "group",
            item.label,
            plain(item.start),
            plain(item.end),
            *map(csv_name, item.group.values()),
            *_plain(item),
            None,
        )
        for item in report.items
    ]
    blank = (None,) * (3 + len(report.by))
    return csv_text(header, [*lines, ("total", *blank, *_plain(report.total), report.not_kept)])


def costs_csv(report: CostReport) -> str:
    """Return *report* as CSV.

    ``by`` says which part a row is of, ``total`` for the last one. A column for every group is
    filled where it is one of these; ``rest`` marks the sum of the groups that are not listed.
    """
    names = list(dict.fromkeys(name for part in report.parts for name in part.by))
    units = sorted({unit for row in _cost_rows(report) for unit in row.units})
    header = ("by", "rest", *names, *_SUMS, "cost_per_call_usd", *(f"units.{unit}" for unit in units), "not_kept")

    def line(by: str, row: CostRow, *, rest: bool = False) -> Sequence[object]:
        group = [csv_name(row.group.get(name)) for name in names]
        used = [row.units.get(unit) for unit in units]
        return (by, "rest" if rest else None, *group, *_plain(row), plain(row.cost_per_call_usd), *used)

    lines: list[Sequence[object]] = []
    for part in report.parts:
        by = ",".join(part.by)
        lines += [(*line(by, row), None) for row in part.rows]
        if part.rest is not None:
            lines.append((*line(by, part.rest, rest=True), None))
    return csv_text(header, [*lines, (*line("total", report.total), report.not_kept)])


def _cost_rows(report: CostReport) -> Iterable[CostRow]:
    yield report.total
    for part in report.parts:
        yield from part.rows
        if part.rest is not None:
            yield part.rest


def _plain(sums: UsageSums) -> list[object]:
    return [plain(getattr(sums, name)) for name in _SUMS]


def csv_name(value: str | None) -> str | None:
    """Return *value* as a cell that a spreadsheet takes for text."""
    # Names come from whoever calls; a spreadsheet would run one that begins like a formula.
    return f"'{value}" if value is not None and value.startswith(_FORMULA) else value


def csv_text(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """Return *lines* below *header* as CSV."""
    found = io.StringIO()
    writer = csv.writer(found, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return found.getvalue()
