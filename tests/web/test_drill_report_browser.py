"""The report of drills in a real browser: its policy lets its own style in, and anybody can read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.web.browsing import SIZES, open_page, sideways, violations

from switchgear.drills.catalogue import SCENARIOS
from switchgear.drills.report_html import report_html
from switchgear.drills.running import report_of
from switchgear.drills.verdict import Check, Result, Status

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.e2e

STATUSES: tuple[Status, ...] = ("passed", "failed", "not_run")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with every scenario and every outcome."""
    checks = (
        Check(
            what="calls that the provider served and whose client has no answer, of 4,711",
            measured=0,
            bound="exactly",
            wanted=0,
            unit="calls",
        ),
        Check(what="time to refuse, p95", measured=312.4, bound="at most", wanted=250, unit="ms"),
    )
    results = [
        Result(
            scenario=one.name,
            title=one.title,
            status=STATUSES[number % 3],
            checks=checks[: number % 3 + 1],
            seconds=1.5,
        )
        for number, one in enumerate(SCENARIOS.values())
    ]
    path = tmp_path_factory.mktemp("report") / "drill.html"
    promises = {one.name: one.promise for one in SCENARIOS.values()}
    path.write_text(report_html(report_of(results, at=1_795_521_600.0, quick=False), promises), encoding="utf-8")
    return path


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_report_is_readable_for_everybody(browser: Browser, report: Path, size: str, theme: str) -> None:
    """Axe finds nothing, the console is silent, the page is not wider than the window, and the style is in force."""
    complaints: list[str] = []
    page = open_page(browser, complaints, size=size, theme=theme)
    page.goto(report.as_uri())

    assert violations(page) == []
    assert sideways(page) <= 0
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(255, 255, 255)" if theme == "light" else "rgb(20, 24, 30)")
    assert complaints == []
    page.close()
