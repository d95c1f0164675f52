from __future__ import annotations

import itertools
import shutil
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import uvicorn

from switchgear.web.app import create_app
from switchgear.web.auth.passwords import hash_password
from switchgear.web.auth.sign_in import SignIn
from switchgear.web.auth.users import User
from switchgear.web.auth.users_file import UsersFile, save_users

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page
    from tests.web.conftest import Place, Views

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
ARTEFACTS = ROOT / "test-artefacts"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, for all tests of this file."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert chromium is not None, "there is no Chromium here: scripts/browser.sh says how to get one"
    from playwright.sync_api import sync_playwright

    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS) as browser,
    ):
        yield browser


class Site:
    """One app on a real port."""

    def __init__(self, place: Place) -> None:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        config = uvicorn.Config(place.app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]}, daemon=True)
        self._thread.start()

    def __enter__(self) -> str:
        return self.address

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()


@pytest.fixture(scope="module")
def sites(full: Place, empty: Place) -> Iterator[dict[str, str]]:
    """The full and the empty Switchgear, served."""
    with Site(full) as first, Site(empty) as second:
        yield {"full": first, "empty": second}


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console complained of."""
    return []


@pytest.fixture
def served(place: Place) -> Iterator[str]:
    """A Switchgear of one's own, served."""
    with Site(place) as address:
        yield address


def _open(browser: Browser, complaints: list[str], *, size: str = "desktop", theme: str = "light") -> Page:
    """Return a page that writes down every error of the console."""
    width, height = SIZES[size]
    scheme: Any = theme
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce")

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


def _wait(page: Page, element: str, text: str) -> None:
    """Wait until the element of this id says *text*; the page's policy forbids to evaluate a condition in it."""
    page.wait_for_selector(f"#{element}:has-text('{text}')", state="attached")


def _violations(page: Page) -> list[str]:
    """Return what axe-core finds, as rule and element."""
    assert AXE.exists(), "axe-core is not installed: run scripts/browser.sh"
    # By the debugger, since the page's own policy would rightly not let it in.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{each['id']}: {node['target']}" for each in found["violations"] for node in each["nodes"]]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("filling", ["full", "empty"])
def test_pages_look_right_to_everybody(
    browser: Browser, sites: dict[str, str], complaints: list[str], filling: str, theme: str, size: str
) -> None:
    """No complaint in the console, no accessibility violation, no sideways scrolling; and a picture of each."""
    ARTEFACTS.mkdir(exist_ok=True)
    page = _open(browser, complaints, size=size, theme=theme)
    names = PAGES if (theme, filling, size) == ("light", "full", "phone") else ("overview", "calls")
    for name in names:
        page.goto(sites[filling] + PAGES[name])
        page.screenshot(path=ARTEFACTS / f"{name}-{filling}-{theme}-{size}.png", full_page=True)
        sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

        assert (name, sideways, _violations(page)) == (name, 0, [])
    page.close()

    assert complaints == []


@pytest.mark.parametrize(("theme", "size"), [("light", "desktop"), ("dark", "phone")])
def test_pages_for_operators_look_right_to_everybody(
    browser: Browser, sites: dict[str, str], complaints: list[str], theme: str, size: str
) -> None:
    """The same, with and without something in them."""
    page = _open(browser, complaints, size=size, theme=theme)
    for filling, name in itertools.product(sites, ("trace", "doctor", "prices", "keys", "audit", "patterns")):
        if (filling, name) == ("empty", "trace"):
            continue
        page.goto(sites[filling] + PAGES[name])
        page.screenshot(path=ARTEFACTS / f"{name}-{filling}-{theme}-{size}.png", full_page=True)
        sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

        assert (name, sideways, _violations(page)) == (name, 0, [])
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
    page = _open(browser, complaints, size=size, theme=theme)
    with Site(msgspec.structs.replace(place, app=create_app(deps))) as address:
        page.goto(f"{address}/calls?job=a")
        for password in ("wrong password", "correct horse"):
            page.fill("[name=name]", "ada")
            page.fill("[name=password]", password)
            page.screenshot(path=ARTEFACTS / f"sign-in-{theme}-{size}.png", full_page=True)
            assert _violations(page) == []
            page.click("main button")
        assert page.url == f"{address}/calls?job=a"
        page.screenshot(path=ARTEFACTS / f"signed-in-{theme}-{size}.png", full_page=True)
        sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert (sideways, _violations(page)) == (0, [])
        page.click("text=Sign out")
        page.goto(f"{address}/usage")
        assert page.url.startswith(f"{address}/-/sign-in")
        page.close()

    assert [each for each in complaints if "401" not in each] == []


def test_one_call_looks_right_to_everybody(browser: Browser, sites: dict[str, str], complaints: list[str]) -> None:
    """A retried call and a refused one, on a phone."""
    page = _open(browser, complaints, size="phone")
    for name, query in (("retried", "job=acme-42&service=anthropic&limit=1"), ("refused", "outcome=refused-budget")):
        page.goto(f"{sites['full']}/calls?{query}")
        page.click("tbody a")
        page.screenshot(path=ARTEFACTS / f"call-{name}.png", full_page=True)

        assert (name, _violations(page)) == (name, [])
    page.close()

    assert complaints == []


def test_the_theme_link_turns_the_lights_off(browser: Browser, sites: dict[str, str], complaints: list[str]) -> None:
    """The chosen theme beats the system's and stays on the next page."""
    page = _open(browser, complaints)
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
    page = _open(browser, complaints)
    page.goto(served)
    page.click("summary")
    place.state.breaker_views = [views.breaker("openai", "open")]
    page.evaluate("document.getElementById('service-health').dispatchEvent(new CustomEvent('every'))")
    page.evaluate("document.getElementById('metrics-dashboard').dispatchEvent(new CustomEvent('every'))")
    _wait(page, "announcer", "openai breaker: Open")

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

    page = _open(browser, complaints)
    page.goto(served)
    poll = "document.getElementById('service-health').dispatchEvent(new CustomEvent('every'))"
    with monkeypatch.context() as patch:
        patch.setattr(type(place.deps.reader), "totals", locked)
        page.evaluate(poll)
        _wait(page, "freshness", "Could not refresh: 503")

        assert page.inner_text("#health-title") == "HEALTHY"
    page.evaluate(poll)
    _wait(page, "freshness", "Refreshes every 30 s")
    page.close()


def test_numbers_that_got_old_are_marked(browser: Browser, place: Place, served: str, complaints: list[str]) -> None:
    """After two and a half intervals without an answer the line says as of when, and cards get a hatched edge."""
    page = _open(browser, complaints)
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
    page = _open(browser, complaints)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(sites["empty"])
    page.click("button >> nth=0")
    _wait(page, "announcer", "Copied")

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
