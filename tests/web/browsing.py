"""A real browser on a real port: what the tests of several files look with."""

from __future__ import annotations

import shutil
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page
    from tests.web.conftest import Place

__all__ = ["ARGUMENTS", "ARTEFACTS", "SIZES", "Site", "chromium", "open_page", "sideways", "violations", "wait_for"]

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


def chromium() -> str:
    """Return where Debian's Chromium is."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert found is not None, "there is no Chromium here: scripts/browser.sh says how to get one"
    return found


class Site:
    """One app on a real port."""

    def __init__(self, place: Place) -> None:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()  # so that a browser that is faster than the server waits
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


def open_page(browser: Browser, complaints: list[str], *, size: str = "desktop", theme: str = "light") -> Page:
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


def wait_for(page: Page, element: str, text: str) -> None:
    """Wait until the element of this id says *text*; the page's policy forbids to evaluate a condition in it."""
    page.wait_for_selector(f"#{element}:has-text('{text}')", state="attached")


def violations(page: Page) -> list[str]:
    """Return what axe-core finds, as rule and element."""
    assert AXE.exists(), "axe-core is not installed: run scripts/browser.sh"
    # By the debugger, since the page's own policy would rightly not let it in.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [f"{each['id']}: {node['target']}" for each in found["violations"] for node in each["nodes"]]


def sideways(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    found: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found
