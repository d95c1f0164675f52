from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.web.browsing import ARTEFACTS, Site, open_page, sideways, violations
from tests.web.conftest import HOUR, MINUTE, NANO, NOW_US

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from tests.web.conftest import Place, Views

pytestmark = pytest.mark.e2e

LONG = "a-service-with-a-very-long-name-that-nobody-would-choose-but-somebody-has"


@pytest.fixture
def unwell(place: Place, views: type[Views]) -> Place:
    """Everything is as bad as it gets: open, forced, exceeded, used up, and the ledger in trouble."""
    pen = place.pen()
    for number in range(12):
        pen.call(NOW_US - 3 * MINUTE + number, status="failed", error="HTTP 503: overloaded " * 6, http_status=503)
    pen.refuse(NOW_US - MINUTE, "openai", "breaker", "breaker", "openai: breaker open " * 8)
    pen.done()
    place.trouble.append("the disk is full; nothing is recorded, so no call may leave")
    place.state.breaker_views = [
        views.breaker("anthropic", "half_open", probes=2),
        views.breaker("firecrawl", "forced_open", since=NOW_US - HOUR, reason="forced open by hand: " + "why " * 30),
        views.breaker("local", "disabled"),
        views.breaker(
            "openai",
            "open",
            failures=5,
            rejected=1204,
            next_probe_at=NOW_US + 41_000_000,
            reason="5 failures in a row (threshold 5)",
        ),
    ]
    place.state.limit_views = [
        views.limit("openai", "requests_per_minute", 60, 60, waiting=17, free_at=NOW_US + 9_000_000),
        views.limit("openai", "tokens_per_day", 1_000_000, 1_000_000, window=24 * HOUR),
        views.limit("openai", "requests_per_minute", 90, 60, shadow=True, would_wait=3, would_refuse=40),
    ]
    place.state.budget_views = [
        views.budget("anthropic-month", 61 * NANO, 2 * NANO, 50 * NANO, unpriced=1, refused=120_000),
        views.budget("all-tokens", 1_950_000, 40_000, 2_000_000, unit="tokens", kind="warn", period="day"),
        views.budget("job-default", NANO, 0, NANO, value=LONG, kind="skip", period="total", period_end=None),
    ]
    return place


@pytest.mark.parametrize(("theme", "size"), [("light", "desktop"), ("dark", "phone")])
def test_bad_times_look_right_to_everybody(
    browser: Browser, unwell: Place, complaints: list[str], theme: str, size: str
) -> None:
    """In the worst state no page complains, overflows, or leaves anybody out; and a picture of each."""
    ARTEFACTS.mkdir(exist_ok=True)
    page = open_page(browser, complaints, size=size, theme=theme)
    with Site(unwell) as address:
        for name, path in (
            ("overview", "/"),
            ("services", "/services"),
            ("service", "/services/openai"),
            ("budgets", "/budgets"),
            ("budget", "/budgets/anthropic-month"),
            ("calls", "/calls?outcome=failed"),
            ("live", "/calls?live=1"),
            ("bad-filter", "/calls?outcome=nonsense"),
            ("nothing", "/calls/nothing"),
        ):
            page.goto(address + path)
            page.screenshot(path=ARTEFACTS / f"{name}-unwell-{theme}-{size}.png", full_page=True)

            assert (name, sideways(page), violations(page)) == (name, 0, [])
        page.close()

    assert [each for each in complaints if "404" not in each and "400" not in each] == []


def test_very_old_numbers_look_right_to_everybody(browser: Browser, unwell: Place, complaints: list[str]) -> None:
    """What is stale says so without breaking anything for a screen reader."""
    page = open_page(browser, complaints)
    page.clock.install()
    with Site(unwell) as address:
        page.goto(address)
        page.route("**/partials/*", lambda route: route.abort())
        page.clock.run_for(400_000)
        assert page.locator(".very-stale").count() == 1
        page.screenshot(path=ARTEFACTS / "overview-very-stale.png")
        assert violations(page) == []
        page.close()


def test_a_budget_prints(browser: Browser, full: Place, complaints: list[str]) -> None:
    """On paper there is no navigation, no form, and nothing is cut off."""
    page = open_page(browser, complaints)
    with Site(full) as address:
        page.goto(f"{address}/budgets/anthropic-month")
        page.emulate_media(media="print")
        assert not page.is_visible(".top")
        assert page.is_visible("h1")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        page.screenshot(path=ARTEFACTS / "budget-print.png", full_page=True)
        page.close()

    assert complaints == []
