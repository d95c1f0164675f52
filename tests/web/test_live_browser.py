from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.web.browsing import ARTEFACTS, open_page, violations

from switchgear.clock import MICROS

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from tests.web.conftest import Place

pytestmark = pytest.mark.e2e


def test_calls_come_by_themselves(browser: Browser, place: Place, served: str, complaints: list[str]) -> None:
    """A call appears on top, its row changes when it is settled, a pause adds nothing until it is over."""
    ARTEFACTS.mkdir(exist_ok=True)
    pen = place.pen()
    first = pen.call(place.now - MICROS)
    pen.done()
    page = open_page(browser, complaints)
    page.goto(f"{served}/calls")
    page.click("text=Live")
    page.wait_for_selector("text=Live: new calls appear here")
    second = pen.call(place.now, status="reserved")
    pen.done()
    page.wait_for_selector(f"#call-{second}-1:has-text('In flight')")
    assert [each.get_attribute("id") for each in page.query_selector_all(".calls tbody tr")] == [
        f"call-{second}-1",
        f"call-{first}-1",
    ]
    pen.settle(second)
    pen.done()
    page.wait_for_selector(f"#call-{second}-1:has-text('OK')")
    page.click("button:has-text('Pause')")
    third = pen.call(place.now + MICROS)
    pen.done()
    page.wait_for_selector("text=Paused")
    page.wait_for_timeout(1200)
    assert page.locator(f"#call-{third}-1").count() == 0
    assert violations(page) == []
    page.screenshot(path=ARTEFACTS / "calls-live-paused.png")
    page.click("button:has-text('Pause')")
    page.wait_for_selector(f"#call-{third}-1")
    page.click("text=Stop")
    assert page.url == f"{served}/calls"
    page.close()

    assert complaints == []


def test_the_live_list_is_bounded(browser: Browser, place: Place, served: str, complaints: list[str]) -> None:
    """However many calls come, the page keeps the newest hundred and says that there were more."""
    pen = place.pen()
    pen.call(place.now)
    pen.done()
    page = open_page(browser, complaints)
    page.goto(f"{served}/calls?live=1")
    page.wait_for_selector("text=Live: new calls appear here")
    ids = [pen.call(place.now + number) for number in range(1, 160)]
    pen.done()
    page.wait_for_selector("text=more calls come than are shown here")
    page.wait_for_selector(f"#call-{ids[-1]}-1")
    page.wait_for_timeout(1500)
    assert page.locator(".calls tbody tr").count() == 100
    assert page.locator(".calls tbody tr").first.get_attribute("id") == f"call-{ids[-1]}-1"
    page.close()

    assert complaints == []
