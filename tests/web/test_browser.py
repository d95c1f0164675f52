from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.web.browsing import ARTEFACTS, SIZES, Site, open_page, sideways, violations, wait_for

from switchgear.web.app import create_app
from switchgear.web.auth.passwords import hash_password
from switchgear.web.auth.sign_in import SignIn
from switchgear.web.auth.users import User
from switchgear.web.auth.users_file import UsersFile, save_users

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser
    from tests.web.conftest import Place, Views

pytestmark = pytest.mark.e2e

PAGES = {
    "overview": "/",
    "calls": "/calls?limit=20",
    "services": "/services",
    "service": "/services/firecrawl",
    "budgets": "/budgets",
    "budget": "/budgets/job-default",
    "filtered": "/calls?job=nobody&service=openai",
    "usage": "/usage?range=24h",
    "usage-nothing": "/usage?model=nobody",
    "profile": "/profile",
    "runs": "/runs",
    "applications": "/applications",
    "trace": "/traces/4bf92f3577b34da6a3ce929d0e0e4736",
    "operator": "/-/",
    "doctor": "/-/doctor",
    "config": "/-/config",
    "prices": "/-/prices",
    "keys": "/-/keys",
    "audit": "/-/audit",
    "versions": "/-/versions",
    "patterns": "/-/patterns",
}


WHOLE = {
    ("light", "full", "phone"),
    ("dark", "full", "desktop"),
    ("light", "empty", "desktop"),
    ("dark", "empty", "phone"),
}
"""All pages are looked at so: each of two in theme, filling and size."""


@pytest.fixture(scope="module")
def sites(full: Place, empty: Place) -> Iterator[dict[str, str]]:
    """The full and the empty Switchgear, served."""
    with Site(full) as first, Site(empty) as second:
        yield {"full": first, "empty": second}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("filling", ["full", "empty"])
def test_pages_look_right_to_everybody(
    browser: Browser, sites: dict[str, str], complaints: list[str], filling: str, theme: str, size: str
) -> None:
    """No complaint in the console, no accessibility violation, no sideways scrolling; and a picture of each."""
    ARTEFACTS.mkdir(exist_ok=True)
    page = open_page(browser, complaints, size=size, theme=theme)
    names = PAGES if (theme, filling, size) in WHOLE else ("overview", "calls")
    for name in names:
        page.goto(sites[filling] + PAGES[name])
        page.screenshot(path=ARTEFACTS / f"{name}-{filling}-{theme}-{size}.png", full_page=True)

        assert (name, sideways(page), violations(page)) == (name, 0, [])
    page.close()

    # What is not there is a 404, which the console tells of.
    assert [each for each in complaints if "404" not in each] == []


@pytest.mark.parametrize(("theme", "size"), [("light", "desktop"), ("dark", "phone")])
def test_pages_for_operators_look_right_to_everybody(
    browser: Browser, sites: dict[str, str], complaints: list[str], theme: str, size: str
) -> None:
    """The same, with and without something in them."""
    page = open_page(browser, complaints, size=size, theme=theme)
    for filling, name in itertools.product(sites, ("trace", "doctor", "prices", "keys", "audit", "patterns")):
        if (filling, name) == ("empty", "trace"):
            continue
        page.goto(sites[filling] + PAGES[name])
        page.screenshot(path=ARTEFACTS / f"{name}-{filling}-{theme}-{size}.png", full_page=True)

        assert (name, sideways(page), violations(page)) == (name, 0, [])
    page.close()

    assert complaints == []


@pytest.mark.parametrize(("theme", "size"), [("light", "desktop"), ("dark", "phone")])
def test_one_signs_in_and_out(
    browser: Browser, place: Place, complaints: list[str], tmp_path: Path, theme: str, size: str
) -> None:
    """From a page to the form, past a wrong password, back to that page with one's name on it, and out again."""
    users = tmp_path / "users"
    save_users(users, {"ada": User(name="ada", role="viewer", digest=hash_password("correct horse"))})
    deps = msgspec.structs.replace(place.deps, sign_in=SignIn(UsersFile(users), place.clock))
    page = open_page(browser, complaints, size=size, theme=theme)
    with Site(msgspec.structs.replace(place, app=create_app(deps))) as address:
        page.goto(f"{address}/calls?job=a")
        for password in ("wrong password", "correct horse"):
            page.fill("[name=name]", "ada")
            page.fill("[name=password]", password)
            page.screenshot(path=ARTEFACTS / f"sign-in-{theme}-{size}.png", full_page=True)
            assert violations(page) == []
            page.click("main button")
        assert page.url == f"{address}/calls?job=a"
        page.screenshot(path=ARTEFACTS / f"signed-in-{theme}-{size}.png", full_page=True)
        assert (sideways(page), violations(page)) == (0, [])
        page.click("text=Sign out")
        page.goto(f"{address}/usage")
        assert page.url.startswith(f"{address}/-/sign-in")
        page.close()

    assert [each for each in complaints if "401" not in each] == []


def test_one_call_looks_right_to_everybody(browser: Browser, sites: dict[str, str], complaints: list[str]) -> None:
    """A retried call and a refused one, on a phone."""
    page = open_page(browser, complaints, size="phone")
    for name, query in (("retried", "job=acme-42&service=anthropic&limit=1"), ("refused", "outcome=refused-budget")):
        page.goto(f"{sites['full']}/calls?{query}")
        page.click("tbody a")
        page.screenshot(path=ARTEFACTS / f"call-{name}.png", full_page=True)

        assert (name, violations(page)) == (name, [])
    page.close()

    assert complaints == []


def test_the_theme_link_turns_the_lights_off(browser: Browser, sites: dict[str, str], complaints: list[str]) -> None:
    """The chosen theme beats the system's and stays on the next page."""
    page = open_page(browser, complaints)
    page.goto(sites["full"])
    page.click("text=Dark theme", force=True)
    page.click("nav >> text=Calls")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 20, 25)"
    assert page.url == f"{sites['full']}/calls"
    page.close()


def test_a_poll_changes_the_page_and_keeps_what_is_open(
    browser: Browser, place: Place, served: str, views: type[Views], complaints: list[str]
) -> None:
    """New numbers arrive in place, an opened table stays open, and a change of state is announced."""
    pen = place.pen()
    pen.call(place.now)
    pen.done()
    page = open_page(browser, complaints)
    page.goto(served)
    page.click("summary")
    place.state.breaker_views = [views.breaker("openai", "open")]
    page.evaluate("document.getElementById('service-health').dispatchEvent(new CustomEvent('every'))")
    page.evaluate("document.getElementById('metrics-dashboard').dispatchEvent(new CustomEvent('every'))")
    wait_for(page, "announcer", "openai breaker: Open")

    assert page.inner_text("#health-title") == "UNHEALTHY"
    assert page.inner_text("#health-word").strip() == "Unhealthy"
    assert page.evaluate("document.getElementById('spend-table').open")
    page.close()

    assert complaints == []


def test_a_failed_poll_keeps_the_last_numbers_and_says_so(
    browser: Browser, place: Place, served: str, monkeypatch: pytest.MonkeyPatch, complaints: list[str]
) -> None:
    """A server error is told in one line, the content stays, and the next good answer takes the line away."""
    from switchgear.errors import LedgerError

    def locked(*_: object, **__: object) -> None:
        msg = "database is locked"
        raise LedgerError(msg)

    page = open_page(browser, complaints)
    page.goto(served)
    poll = "document.getElementById('service-health').dispatchEvent(new CustomEvent('every'))"
    with monkeypatch.context() as patch:
        patch.setattr(type(place.deps.reader), "totals", locked)
        page.evaluate(poll)
        wait_for(page, "freshness", "Could not refresh: 503")

        assert page.inner_text("#health-title") == "HEALTHY"
    page.evaluate(poll)
    wait_for(page, "freshness", "Refreshes every 30 s")
    page.close()


def test_numbers_that_got_old_are_marked(browser: Browser, place: Place, served: str, complaints: list[str]) -> None:
    """After two and a half intervals without an answer the line says as of when, and cards get a hatched edge."""
    page = open_page(browser, complaints)
    page.clock.install()
    page.goto(served)
    page.route("**/partials/*", lambda route: route.abort())
    page.clock.run_for(80_000)

    assert page.inner_text("#freshness").startswith("As of ")
    assert page.evaluate("document.querySelectorAll('.stale').length") == 2
    page.screenshot(path=ARTEFACTS / "overview-stale.png")
    page.close()


def test_a_line_can_be_copied(browser: Browser, sites: dict[str, str], complaints: list[str]) -> None:
    """The button puts the line on the clipboard and says so."""
    page = open_page(browser, complaints)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(sites["empty"])
    page.click("button >> nth=0")
    wait_for(page, "announcer", "Copied")

    assert page.evaluate("navigator.clipboard.readText()") == f"export OPENAI_BASE_URL={sites['empty']}/openai/v1"
    page.close()


def test_pages_work_without_script(browser: Browser, sites: dict[str, str]) -> None:
    """Filters are a form and links are links."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{sites['full']}/calls")
    page.select_option("select[name=outcome]", "refused")
    page.click("button[type=submit]")

    assert "outcome=refused" in page.url
    assert page.locator("tbody tr").count() == 4
    context.close()
