from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.web.browsing import ARTEFACTS, SIZES, Site, open_page, sideways, violations, wait_for
from tests.web.job_records import Jobs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser
    from tests.web.conftest import Place

pytestmark = pytest.mark.e2e


@pytest.fixture
def jobs(place: Place, tmp_path: Path) -> Iterator[Jobs]:
    """Four records behind the app."""
    made = Jobs(place, tmp_path)
    made.fill()
    yield made
    made.records.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_applications_look_right_to_everybody(
    browser: Browser, place: Place, jobs: Jobs, complaints: list[str], theme: str, size: str
) -> None:
    """List, one application and the card: no complaint, no accessibility violation, no sideways scrolling."""
    ARTEFACTS.mkdir(exist_ok=True)
    page = open_page(browser, complaints, size=size, theme=theme)
    with Site(place) as address:
        for name, path in (
            ("applications-list", "/applications"),
            ("applications-one", "/applications/acme-42"),
            ("applications-card", "/"),
            ("applications-none", "/applications?q=nobody&status=offer"),
        ):
            page.goto(address + path)
            for summary in page.locator("main summary").all():
                summary.click()
            page.screenshot(path=ARTEFACTS / f"{name}-{theme}-{size}.png", full_page=True)

            assert (name, sideways(page), violations(page)) == (name, 0, [])
        page.close()

    assert complaints == []


def test_a_status_is_put_on_record_in_the_browser(
    browser: Browser, place: Place, jobs: Jobs, complaints: list[str]
) -> None:
    """A form, a sentence that it is done, and the card counts it when it is asked again."""
    page = open_page(browser, complaints)
    with Site(place) as address:
        page.goto(f"{address}/applications/circus")
        page.select_option("select[name=status]", "applied")
        page.fill("[name=at]", "2026-11-24")
        page.fill("form[action$=status] [name=note]", "by mail")
        page.click("text=Put on record")
        assert "The status is on record." in page.inner_text("main")
        page.goto(address)
        assert "goal of 2 reached" in page.inner_text("#application-stats")
        jobs.records.set_status("circus", "ready", by="ann")
        page.evaluate("document.getElementById('application-stats').dispatchEvent(new CustomEvent('every'))")
        wait_for(page, "application-stats", "1 to go of 2")
        page.close()

    assert complaints == []
