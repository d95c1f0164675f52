from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from switchgear.calls import Attribution

if TYPE_CHECKING:
    from tests.web.conftest import Place

PAGES = [
    "/",
    "/calls",
    "/usage",
    "/services",
    "/services/openai",
    "/budgets",
    "/budgets/job-default",
    "/profile",
    "/runs",
    "/traces/4bf92f3577b34da6a3ce929d0e0e4736",
    "/-/doctor",
    "/-/config",
    "/-/prices",
    "/-/keys",
    "/-/audit",
    "/-/versions",
    "/-/patterns",
    "/partials/service-health",
]


@pytest.mark.parametrize("address", [*PAGES, "/api/health", "/metrics", "/nothing"])
def test_every_answer_is_strict(full: Place, address: str) -> None:
    """No script or style from elsewhere, no framing, no sniffing, no cache."""
    headers = full.client().get(address).headers

    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("address", PAGES)
def test_pages_need_nothing_inline(full: Place, address: str) -> None:
    """No style attribute, no handler attribute, no script or style element: the policy would block them."""
    text = full.client().get(address).text

    assert not re.search(r"<[^>]+\s(style|on[a-z]+)=", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert "<style" not in text


HOSTILE = "<script>alert(1)</script>\"'"


@pytest.mark.parametrize(
    "address", ["/", "/calls", "/partials/metrics-dashboard", "/services/openai", "CALL", "REFUSED"]
)
def test_names_from_outside_are_text(place: Place, address: str) -> None:
    """A model, job, tag or error in HTML is shown as it is written."""
    pen = place.pen()
    attribution = Attribution(job=HOSTILE, layer=HOSTILE, run=HOSTILE, key=HOSTILE, tags=((HOSTILE, HOSTILE),))
    call = pen.call(place.now, model=HOSTILE, status="failed", error=HOSTILE, attribution=attribution)
    refused = pen.refuse(place.now, "openai", "budget", HOSTILE, HOSTILE)
    pen.done()
    address = {"CALL": f"/calls/{call}", "REFUSED": f"/calls/{refused}"}.get(address, address)

    text = place.client().get(address).text

    assert "alert(1)" in text
    assert "<script>alert" not in text


def test_filters_are_text(full: Place) -> None:
    """What stands in the address is escaped on the page and in its links."""
    text = full.client().get("/calls", params={"job": HOSTILE}).text

    assert "0 calls match" in text
    assert "<script>alert" not in text


def test_no_page_shows_credentials_of_an_upstream(full: Place) -> None:
    """A user and password in a base URL stay in the configuration."""
    text = full.client().get("/services/openai").text

    assert "https://api.openai.com" in text
    assert "secret" not in text


def test_static_files_are_cached_by_content(full: Place) -> None:
    """With their hash for ever, without it only by ETag."""
    client = full.client()
    address = re.search(r"/static/app\.css\?v=[0-9a-f]{12}", client.get("/").text)
    assert address is not None

    hashed, plain = client.get(address[0]), client.get("/static/app.css")

    assert hashed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["cache-control"] == "no-cache"
    assert client.get("/static/app.css", headers={"if-none-match": plain.headers["etag"]}).status_code == 304
    assert client.get("/static/favicon.svg").headers["content-type"].startswith("image/svg+xml")


@pytest.mark.parametrize("address", ["/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd"])
def test_only_static_files_are_served(full: Place, address: str) -> None:
    """No way leads out of the folder."""
    assert full.client().get(address).status_code == 404
