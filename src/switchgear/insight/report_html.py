"""A cost report as one HTML file that needs nothing else: to read, to print, to send on."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from switchgear.money import format_usd, to_nano

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence
    from decimal import Decimal
    from zoneinfo import ZoneInfo

    from switchgear.insight.reports import CostPart, CostReport, CostRow
    from switchgear.insight.usage import UsageRow

__all__ = ["report_html"]

_STYLE: Final = """
:root { color-scheme: light; --text: #1a2029; --quiet: #57606c; --line: #dde2e8; --bar: #0f518a; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 32px; max-width: 1080px; color: var(--text); background: #fff;
  font: 14px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { margin: 0; font-size: 26px; } h2 { margin: 32px 0 8px; font-size: 17px; }
p { margin: 4px 0; color: var(--quiet); }
.figures { display: flex; flex-wrap: wrap; gap: 8px 40px; margin: 20px 0; padding: 0; list-style: none; }
.figures b { display: block; font-size: 22px; font-variant-numeric: tabular-nums; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 10px 4px 0; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th { color: var(--quiet); font-weight: 600; white-space: nowrap; }
th.name, td.name { text-align: left; overflow-wrap: anywhere; }
tr.sum td { border-top: 2px solid var(--text); font-weight: 700; }
svg { display: block; width: 100%; height: 140px; } svg rect { fill: var(--bar); }
footer { margin-top: 32px; color: var(--quiet); font-size: 12px; }
@page { margin: 14mm; }
@media print { body { padding: 0; max-width: none; font-size: 10pt; } tr, svg, .figures { break-inside: avoid; }
  h2 { break-after: avoid; } thead { display: table-header-group; } }
"""

_HEADER: Final = (
    "Calls",
    "Failed",
    "Refused",
    "Tokens in",
    "Cached",
    "Tokens out",
    "Units",
    "Unpriced",
    "Cost",
    "Share",
    "A call",
)
_CHART_HEIGHT: Final = 100
_NOTE: Final = "Costs are of priced calls only, at the price of the day of each call. Tokens in include cached ones."


def report_html(report: CostReport, zone: ZoneInfo) -> str:
    """Return *report* as a whole HTML document, times in *zone*."""
    title = f"Cost report {report.period}"
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)} - Switchgear</title>",
            f"<style>{_STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            f"<p>{_when(report.since, zone)} to {_when(report.until, zone)}, {escape(report.timezone)}</p>",
            _figures(report.total),
            _missing(report),
            _chart(report.series),
            *(_part(part, report.total) for part in report.parts),
            f"<footer>Made by Switchgear on {_when(report.generated_at, zone)}. {_NOTE}</footer>",
            "</body></html>\n",
        )
    )


def _figures(total: CostRow) -> str:
    tokens = total.input_tokens + total.output_tokens
    figures = (
        ("spent", _usd(total.cost_usd)),
        ("unpriced calls", f"{total.unpriced:,}"),
        ("calls", f"{total.calls:,}"),
        ("failed", f"{total.failed:,}"),
        ("refused", f"{total.refused:,}"),
        ("tokens", f"{tokens:,}"),
        ("an average call", _usd(total.cost_per_call_usd)),
        ("calls with estimated usage", f"{total.estimated:,}"),
    )
    items = "".join(f"<li><b>{escape(value)}</b>{escape(name)}</li>" for name, value in figures)
    return f'<ul class="figures">{items}</ul>'


def _missing(report: CostReport) -> str:
    if not report.not_kept:
        return ""
    return (
        f"<p>{report.not_kept:,} calls of this time are no longer kept one by one: they are in the total, but not in"
        " the tables by job, run or tag.</p>"
    )


def _chart(series: Sequence[UsageRow]) -> str:
    most = max((row.cost_usd for row in series), default=0)
    if not most:
        return "<p>Nothing was spent.</p>"
    width = 100 / len(series)
    bars = "".join(
        f'<rect x="{at * width + width * 0.1:.3f}" width="{width * 0.8:.3f}" y="{_CHART_HEIGHT - height:.2f}"'
        f' height="{height:.2f}"><title>{escape(str(row.label))}: {_usd(row.cost_usd)}</title></rect>'
        for at, row in enumerate(series)
        if (height := float(row.cost_usd / most * _CHART_HEIGHT))
    )
    first, last = escape(str(series[0].label)), escape(str(series[-1].label))
    return (
        f'<h2>Spend over time</h2><svg viewBox="0 0 100 {_CHART_HEIGHT}" preserveAspectRatio="none" role="img"'
        f' aria-label="Spend from {first} to {last}, at most {_usd(most)}">{bars}</svg>'
        f"<p>{first} to {last}, only those with calls; the highest is {_usd(most)}.</p>"
    )


def _part(part: CostPart, total: CostRow) -> str:
    head = "".join(f'<th class="name">{escape(name)}</th>' for name in part.by)
    head += "".join(f"<th>{escape(name)}</th>" for name in _HEADER)
    rows = [_line([_name(value) for value in row.group.values()], row) for row in part.rows]
    if part.rest is not None:
        rows.append(_line(["all others", *[""] * (len(part.by) - 1)], part.rest))
    rows.append(_line(["Total", *[""] * (len(part.by) - 1)], total, kind=' class="sum"'))
    title = escape(", ".join(part.by))
    return f"<h2>By {title}</h2><table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _line(names: Iterable[str], row: CostRow, *, kind: str = "") -> str:
    units = ", ".join(f"{number:,} {unit}" for unit, number in row.units.items()) or "-"
    numbers = (
        f"{row.calls:,}",
        f"{row.failed:,}",
        f"{row.refused:,}",
        f"{row.input_tokens:,}",
        f"{row.cache_read_tokens:,}",
        f"{row.output_tokens:,}",
        units,
        f"{row.unpriced:,}",
        _usd(row.cost_usd),
        "-" if row.cost_percent is None else f"{row.cost_percent:.1f} %",
        _usd(row.cost_per_call_usd),
    )
    cells = "".join(f'<td class="name">{escape(name)}</td>' for name in names)
    cells += "".join(f"<td>{escape(number)}</td>" for number in numbers)
    return f"<tr{kind}>{cells}</tr>"


def _name(value: str | None) -> str:
    return "(not said)" if value is None else value


def _usd(amount: Decimal | int | None) -> str:
    return format_usd(None if amount is None else to_nano(amount))


def _when(instant: dt.datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"
