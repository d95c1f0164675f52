from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import httpx2
import pytest

from jobsmith.errors import InputError
from jobsmith.inputs.addresses import is_public
from jobsmith.inputs.web import Page, fetch_page
from switchgear import BreakerOpen, Governor
from switchgear.testing import governor

PUBLIC = "93.184.216.34"
SETTINGS = "[services.postings]\nbreaker.failure_threshold = 2\n"
Handler = Callable[[httpx2.Request], httpx2.Response]


@pytest.fixture
def gov() -> Iterator[Governor]:
    """A governor with the service that fetches."""
    with governor(SETTINGS) as one:
        yield one


def resolver(**hosts: str) -> Callable[[str, int], object]:
    """A resolver that knows *hosts* and takes every other one for public."""

    async def resolve(host: str, port: int) -> list[str]:
        return hosts.get(host.partition(".")[0], PUBLIC).split()

    return resolve


async def fetched(gov: Governor, url: str, handler: Handler, **hosts: str) -> Page:
    """Fetch over *handler* in place of the network."""
    return await fetch_page(gov, url, resolve=resolver(**hosts), transport=httpx2.MockTransport(handler))  # type: ignore[arg-type]  # returns object for brevity


def page(text: str = "<p>A posting</p>", kind: str = "text/html; charset=utf-8") -> httpx2.Response:
    """A page."""
    return httpx2.Response(200, headers={"content-type": kind}, content=text.encode())


def calls(gov: Governor) -> list[tuple[str, str]]:
    """What the ledger says of calls."""
    return [(row.service, row.status) for row in gov.ledger.reader.calls(limit=50).items]


async def test_a_page_is_fetched_from_the_address_that_was_checked(gov: Governor) -> None:
    """The connection goes to the address, the host's name into the request; it is one governed call."""
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return page()

    found = await fetched(gov, "https://jobs.example.com:8443/a?b=c#d", answer)

    assert found.content == b"<p>A posting</p>"
    assert str(seen[0].url) == f"https://{PUBLIC}:8443/a?b=c"
    assert seen[0].headers["host"] == "jobs.example.com:8443"
    assert seen[0].extensions["sni_hostname"] == "jobs.example.com"
    assert calls(gov) == [("postings", "ok")]


ADDRESSES = {
    "127.0.0.1": False,
    "10.1.2.3": False,
    "172.16.0.1": False,
    "192.168.1.1": False,
    "169.254.169.254": False,
    "100.64.0.1": False,
    "0.0.0.0": False,  # noqa: S104 - no listening here
    "224.0.0.1": False,
    "255.255.255.255": False,
    "::1": False,
    "::": False,
    "fe80::1%eth0": False,
    "fd00::1": False,
    "::ffff:127.0.0.1": False,
    "64:ff9b::7f00:1": False,
    "2002:7f00:1::": False,
    "nonsense": False,
    PUBLIC: True,
    "2606:4700::6810:85e5": True,
    "::ffff:93.184.216.34": True,
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_only_public_addresses_are_public(address: str) -> None:
    """Loopback, private, link-local, shared, reserved and disguised addresses are not."""
    assert is_public(address) is ADDRESSES[address]


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/", "http://127.0.0.1:8400/api/keys", "http://[::1]/", "http://169.254.169.254/latest/meta-data",
        "http://2130706433/", "http://0x7f.1/", "http://inside.example.com/", "http://both.example.com/",
    ],
)  # fmt: skip
async def test_what_is_not_public_is_never_asked(gov: Governor, url: str) -> None:
    """Names and numbers that lead inside are refused before anything is sent or counted, one bad address is enough."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        pytest.fail("something was sent")

    async def resolve(host: str, port: int) -> list[str]:
        known = {
            "inside.example.com": ["10.0.0.7"],
            "both.example.com": [PUBLIC, "10.0.0.7"],
            "localhost": ["127.0.0.1"],
        }
        return known.get(host) or (["127.0.0.1"] if host in {"2130706433", "0x7f.1"} else [host])

    with pytest.raises(InputError, match="not on the public internet"):
        await fetch_page(gov, url, resolve=resolve, transport=httpx2.MockTransport(answer))

    assert calls(gov) == []


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.com/x", "http://", "http://u:p@example.com/", "http://a:99999/"]
)
async def test_what_is_no_plain_url_is_told(gov: Governor, url: str) -> None:
    """Other schemes, passwords and broken URLs are refused."""
    with pytest.raises(InputError):
        await fetched(gov, url, lambda _: page())


async def test_each_redirect_is_checked_again(gov: Governor) -> None:
    """A public page that redirects inside is followed no further."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(302, headers={"location": "http://inside.example.com/secret"})

    with pytest.raises(InputError, match=r"inside\.example\.com is not on the public internet"):
        await fetched(gov, "http://out.example.com/", answer, inside="192.168.0.1")

    assert calls(gov) == [("postings", "ok")]


async def test_a_relative_redirect_is_followed(gov: Governor) -> None:
    """What a site moved is found where it says."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        return page() if request.url.path == "/new" else httpx2.Response(301, headers={"location": "/new"})

    found = await fetched(gov, "http://out.example.com/old", answer)

    assert found.url == "http://out.example.com/new"


async def test_a_circle_and_a_long_way_end(gov: Governor) -> None:
    """Redirects in a circle are told at the second visit, and a long chain after five."""

    def circle(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(302, headers={"location": "/b" if request.url.path == "/a" else "/a"})

    def chain(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(302, headers={"location": f"{request.url.path}x"})

    with pytest.raises(InputError, match="in a circle"):
        await fetched(gov, "http://out.example.com/a", circle)
    with pytest.raises(InputError, match="more than 5 redirects"):
        await fetched(gov, "http://out.example.com/a", chain)

    assert len(calls(gov)) == 2 + 6


BAD: dict[str, tuple[Handler, str]] = {
    "missing": (lambda _: httpx2.Response(404), "answers 404"),
    "picture": (lambda _: page(kind="image/png"), "is image/png and no text"),
    "huge": (lambda _: page("a" * 2_000_001), "more than 2,000,000 bytes"),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_page_that_is_no_posting_is_told(gov: Governor, case: str) -> None:
    """Errors, pictures and huge pages each have their sentence."""
    handler, said = BAD[case]

    with pytest.raises(InputError, match=said):
        await fetched(gov, "http://out.example.com/", handler)


async def test_an_endless_page_is_cut(gov: Governor) -> None:
    """No more is read than is allowed, whatever the server goes on to send."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 100_000

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/plain"}, content=endless())

    with pytest.raises(InputError, match="more than"):
        await fetched(gov, "http://out.example.com/", answer)

    assert sent < 25


async def test_a_slow_page_is_left(gov: Governor) -> None:
    """The bound of time holds for all hops together."""

    async def slow(_: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        return page()

    with pytest.raises(InputError, match="did not answer within"):
        await fetch_page(
            gov,
            "http://out.example.com/",
            resolve=resolver(),  # type: ignore[arg-type]  # returns object for brevity
            transport=httpx2.MockTransport(slow),
            seconds=0.05,
        )


async def test_a_failing_site_opens_the_breaker(gov: Governor) -> None:
    """Fetching is governed: errors of servers count, and an open breaker refuses."""
    for _ in range(2):
        with pytest.raises(InputError, match="can't be read"):
            await fetched(gov, "http://out.example.com/", lambda _: httpx2.Response(503))

    with pytest.raises(BreakerOpen):
        await fetched(gov, "http://out.example.com/", lambda _: page())


async def test_the_charset_of_a_page_is_obeyed(gov: Governor) -> None:
    """A page in an old charset becomes the text it means."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/html; charset=iso-8859-1"}, content=b"<p>caf\xe9")

    assert (await fetched(gov, "http://out.example.com/", answer)).content == "<p>café".encode()
