"""The report of a round of drills as one HTML file that needs nothing else, under a policy of its own."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from switchgear.drills.verdict import Check, Report, Result

__all__ = ["report_html"]

_STYLE: Final = """
:root { color-scheme: light dark; --text: #1a2029; --quiet: #57606c; --page: #ffffff; --line: #dde2e8;
  --ok: #256b4d; --crit: #871a0f; --idle: #5c6270; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ee; --quiet: #a3abb8; --page: #14181e; --line: #323945;
  --ok: #80fbe5; --crit: #ff7d95; --idle: #a3abb8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 32px 20px; max-width: 1080px; color: var(--text); background: var(--page);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { margin: 0; font-size: 26px; } h2 { margin: 36px 0 4px; font-size: 18px; }
p { margin: 4px 0; color: var(--quiet); } a { color: inherit; }
.passed { color: var(--ok); } .failed { color: var(--crit); } .not_run { color: var(--idle); }
.status { font-weight: 700; white-space: nowrap; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { color: var(--quiet); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 400; }
.number { text-align: right; white-space: nowrap; }
footer { margin-top: 36px; color: var(--quiet); font-size: 13px; }
@media print { body { padding: 0; max-width: none; } tr { break-inside: avoid; } h2 { break-after: avoid; } }
"""

_WORDS: Final = {"passed": "✓ passed", "failed": "✗ failed", "not_run": "○ not run"}
"""Never a colour alone: a word and a glyph say the same."""


def report_html(report: Report, promises: dict[str, str]) -> str:
    """Return *report* as a whole HTML document; *promises* says for each scenario what it checks."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'"
    against = "servers of its own" if report.against is None else escape(report.against)
    made_by = f"Switchgear {report.version}, Python {report.python}, {report.machine}"
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<title>Drills - Switchgear</title>",
            f"<style>{_STYLE}</style></head><body><main>",
            "<h1>Drills</h1>",
            f"<p>{escape(report.at)}, {escape(made_by)}, against {against}{', quick' if report.quick else ''}</p>",
            _summary(report),
            *(_section(result, promises.get(result.scenario, "")) for result in report.results),
            "</main><footer>Made by <code>switchgear drill</code>. What was not run has proven nothing.</footer>",
            "</body></html>\n",
        )
    )


def _summary(report: Report) -> str:
    rows = "".join(
        f'<tr><th scope="row"><a href="#{escape(one.scenario)}">{escape(one.scenario)}</a></th><td>{escape(one.title)}'
        f'</td><td>{_status(one.status)}</td><td class="number">{_kept(one)}</td>'
        f'<td class="number">{one.seconds:.1f} s</td></tr>'
        for one in report.results
    )
    counts = f"{report.count('passed')} passed, {report.count('failed')} failed, {report.count('not_run')} not run"
    overall = "passed" if report.passed else "failed"
    return (
        f'<p class="status {overall}">{"✓" if report.passed else "✗"} {counts}</p>'
        '<div class="scroll" tabindex="0" role="region" aria-label="All scenarios"><table><thead><tr>'
        '<th scope="col">Scenario</th><th scope="col">What happens</th><th scope="col">Result</th>'
        '<th scope="col" class="number">Checks</th><th scope="col" class="number">Took</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _section(result: Result, promise: str) -> str:
    name = escape(result.scenario)
    parts = [
        f'<section aria-labelledby="{name}"><h2 id="{name}">{escape(result.title)}</h2>',
        f"<p>{_status(result.status)} {escape(promise)}</p>",
    ]
    if result.reason is not None:
        parts.append(f"<p>{escape(result.reason)}</p>")
    if result.checks:
        parts.append(
            f'<div class="scroll" tabindex="0" role="region" aria-label="Checks of {name}"><table><thead><tr>'
            '<th scope="col">What was measured</th><th scope="col" class="number">Figure</th>'
            '<th scope="col">Threshold</th><th scope="col">Result</th></tr></thead>'
            f"<tbody>{''.join(map(_row, result.checks))}</tbody></table></div>"
        )
    return "".join((*parts, "</section>"))


def _row(check: Check) -> str:
    return (
        f'<tr><th scope="row">{escape(check.what)}</th><td class="number">{escape(check.figure)}</td>'
        f"<td>{escape(check.threshold)}</td><td>{_status('passed' if check.passed else 'failed')}</td></tr>"
    )


def _status(status: str) -> str:
    return f'<span class="status {status}">{_WORDS[status]}</span>'


def _kept(result: Result) -> str:
    return f"{sum(check.passed for check in result.checks)} of {len(result.checks)}" if result.checks else "-"
