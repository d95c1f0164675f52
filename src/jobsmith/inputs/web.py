"""A posting from a URL: every hop is a governed call to a public address, bounded in size, time and number."""

from __future__ import annotations

import asyncio
import codecs
import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urljoin

import httpx2

from jobsmith.errors import InputError
from jobsmith.inputs.addresses import public_address, resolved, split_url
from jobsmith.inputs.posting import Posting, posting_from_bytes
from jobsmith.inputs.text import LARGEST_BYTES

if TYPE_CHECKING:
    from jobsmith.inputs.addresses import Resolve
    from switchgear import Governor

__all__ = ["SERVICE", "Page", "fetch_page", "fetch_posting"]

SERVICE: Final = "postings"
"""The service that fetching is governed as."""

_MOST_HOPS: Final = 5
_SECONDS: Final = 20.0
_HEADERS: Final = {
    "accept": "text/html, application/xhtml+xml, text/plain, text/markdown;q=0.9",
    "accept-encoding": "identity",  # so that what comes is as large as it says
    "user-agent": "jobsmith (one page, on behalf of its reader)",
}
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_OK: Final = 200
_SERVER_ERROR: Final = 500
_TYPES: Final = ("text/html", "application/xhtml+xml", "text/plain", "text/markdown")


class Page(NamedTuple):
    """What was found at *url*, after redirects, as UTF-8."""

    url: str
    kind: str
    content: bytes


async def fetch_posting(governor: Governor, url: str) -> Posting:
    """Return the posting at *url*; raises as *fetch_page* and *posting_of*."""
    page = await fetch_page(governor, url)
    return posting_from_bytes(page.content, origin=page.url, html="html" in page.kind)


async def fetch_page(
    governor: Governor,
    url: str,
    *,
    resolve: Resolve = resolved,
    transport: httpx2.AsyncBaseTransport | None = None,
    seconds: float = _SECONDS,
) -> Page:
    """Return the page at *url*.

    Args:
        governor: it has the service *postings*; each hop is one call of it.
        url: http or https.
        resolve: returns the addresses of a host.
        transport: what really sends; default: the network.
        seconds: how long all of it may take.

    Raises:
        InputError: it is no such URL, leads to an address that is not public, in a circle, too far, to too
            much, to something that is no text, to an error, or takes too long.
        Refused: the gate says no.
    """
    seen: set[str] = set()
    try:
        async with (
            asyncio.timeout(seconds),
            httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False, timeout=seconds) as client,
        ):
            while len(seen) <= _MOST_HOPS:
                if url in seen:
                    msg = f"{url} redirects in a circle"
                    raise InputError(msg)
                seen.add(url)
                found = await _hop(governor, client, url, resolve)
                if isinstance(found, Page):
                    return found
                url = found
    except TimeoutError:
        msg = f"{url} did not answer within {seconds:g} s"
        raise InputError(msg) from None
    except httpx2.HTTPError as error:
        msg = f"{url} can't be read: {type(error).__name__}"
        raise InputError(msg) from None
    msg = f"{url} is the end of more than {_MOST_HOPS} redirects"
    raise InputError(msg)


async def _hop(governor: Governor, client: httpx2.AsyncClient, url: str, resolve: Resolve) -> Page | str:
    """Return what is at *url*, or the URL that it redirects to."""
    parts = split_url(url)
    host = str(parts.hostname)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = await public_address(host, port, resolve=resolve)
    literal = f"[{address}]" if ":" in address else address
    request = client.build_request(
        "GET",
        httpx2.URL(url).copy_with(host=address, fragment=None),
        headers={**_HEADERS, "host": parts.netloc.rpartition("@")[2]},
        extensions={"sni_hostname": host},
    )
    if request.url.host not in {address, literal}:
        msg = f"{host} can't be reached at {address}"
        raise InputError(msg)
    async with governor.call(SERVICE, endpoint="fetch"):
        response = await client.send(request, stream=True)
        try:
            if response.status_code >= _SERVER_ERROR:
                response.raise_for_status()
            is_plain = response.headers.get("content-encoding", "identity") == "identity"
            body = await _body(response) if response.status_code == _OK and is_plain else b""
        finally:
            await response.aclose()
    if response.status_code in _REDIRECTS and "location" in response.headers:
        return urljoin(url, response.headers["location"])
    if response.status_code != _OK:
        msg = f"{url} answers {response.status_code}"
        raise InputError(msg)
    if not is_plain:  # a little of it may unfold to gigabytes
        msg = f"{url} comes compressed, though it was asked not to"
        raise InputError(msg)
    return _page(url, response.headers.get("content-type", "text/plain"), body)


async def _body(response: httpx2.Response) -> bytes:
    """Return the body, or at least one byte more than is allowed."""
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > LARGEST_BYTES:
            break
    return body


def _page(url: str, content_type: str, body: bytes) -> Page:
    if len(body) > LARGEST_BYTES:
        msg = f"{url} has more than {LARGEST_BYTES:,} bytes"
        raise InputError(msg)
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in _TYPES:
        msg = f"{url} is {kind or 'of no stated type'} and no text"
        raise InputError(msg)
    match = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", content_type, re.IGNORECASE) or re.search(
        rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w.:-]+)", body[:4096], re.IGNORECASE
    )
    charset = "utf-8" if match is None else match[1] if isinstance(match[1], str) else match[1].decode("ascii")
    try:
        text = body.decode(codecs.lookup(charset).name, "replace")
    except LookupError:
        text = body.decode("utf-8", "replace")
    return Page(url, kind, text.encode())
