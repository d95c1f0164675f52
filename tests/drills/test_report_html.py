from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

from switchgear.drills.report_html import report_html
from switchgear.drills.running import report_of
from switchgear.drills.verdict import Check, Result

NASTY = '<script>alert("x")</script>'


def page() -> str:
    """Return the report of one scenario of each status."""
    checks = (
        Check(what=f"calls {NASTY}", measured=7, bound="at most", wanted=5, unit="calls"),
        Check(what="other calls", measured=0.0042, bound="at most", wanted=1, unit="USD"),
    )
    results = [
        Result(scenario="good", title="All is well", status="passed", checks=checks[1:], seconds=2.0),
        Result(scenario="bad", title="All is lost", status="failed", checks=checks, reason=f"Error: {NASTY}"),
        Result(scenario="none", title="Nobody was there", status="not_run", reason="no server is installed"),
    ]
    return report_html(report_of(results, at=1_795_521_600.0, quick=True), {"good": "it holds"})


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_it_needs_nothing_from_elsewhere_and_allows_only_its_own_style() -> None:
    """The policy in it lets its one style sheet through by its digest, and nothing else at all."""
    html = page()
    style = html.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert f"default-src 'none'; style-src 'sha256-{digest}'" in html
    assert re.findall(r'(?:src|href)="(?!#)', html) == []
    assert " style=" not in html


def test_whatever_a_scenario_says_is_text() -> None:
    """What came from elsewhere is never markup, and every tag is closed."""
    tags = Tags()
    tags.feed(page())

    assert "script" not in tags.seen
    assert tags.open == []


def test_every_verdict_is_a_word_and_what_was_not_run_is_no_pass() -> None:
    """Colour says nothing alone, and the three outcomes are told apart."""
    html = page()

    assert "1 passed, 1 failed, 1 not run" in html
    assert html.count("passed</span>") == 4  # twice the scenario, twice a figure
    assert "not run</span>" in html
    assert "no server is installed" in html
    assert "$0.0042" in html
    assert "at most 5 calls" in html


def test_it_reads_in_light_and_in_dark() -> None:
    """Both themes are there, for whoever's system asks."""
    assert "color-scheme: light dark" in page()
    assert "prefers-color-scheme: dark" in page()
