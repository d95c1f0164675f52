"""A page as Markdown through Firecrawl, where its service is configured with a key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jobsmith.errors import InputError
from jobsmith.inputs.addresses import public_address, resolved, split_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobsmith.inputs.addresses import Resolve
    from switchgear import Governor

__all__ = ["SERVICE", "has_firecrawl", "scrape", "search"]

SERVICE: Final = "firecrawl"
_OK: Final = 200
_MOST_RESULTS: Final = 3


def has_firecrawl(governor: Governor, environ: Mapping[str, str] | None = None) -> bool:
    """Return whether *governor* has the service, and a key for it."""
    service = governor.config.services.get(SERVICE)
    if service is None:
        return False
    if service.api_key_file is not None:
        return Path(service.api_key_file).is_file()
    return bool(service.api_key_env and (os.environ if environ is None else environ).get(service.api_key_env))


async def scrape(governor: Governor, url: str, *, resolve: Resolve = resolved) -> str:
    """Return the page at *url* as Markdown.

    Raises:
        InputError: the URL is none, is not public, or nothing was found there.
        Refused: the gate says no.
    """
    parts = split_url(url)
    await public_address(str(parts.hostname), parts.port or 443, resolve=resolve)
    data = await _post(governor, "/v2/scrape", {"url": url, "formats": ["markdown"], "onlyMainContent": True})
    found = data.get("markdown") if isinstance(data, dict) else None
    if not isinstance(found, str) or not found.strip():
        msg = f"Firecrawl found no text at {url}"
        raise InputError(msg)
    return found


async def search(governor: Governor, question: str) -> list[tuple[str, str]]:
    """Return up to three results for *question*: URL, and what is said there. Raises as *scrape*."""
    data = await _post(governor, "/v2/search", {"query": question, "limit": _MOST_RESULTS})
    rows = data.get("web", []) if isinstance(data, dict) else data
    found: list[tuple[str, str]] = []
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and isinstance(row.get("url"), str):
            said = " ".join(str(row[key]) for key in ("title", "description", "markdown") if row.get(key))
            found.append((row["url"], said))
    return found[:_MOST_RESULTS]


async def _post(governor: Governor, path: str, body: dict[str, object]) -> Any:  # noqa: ANN401 - whatever Firecrawl answers
    base = governor.config.services[SERVICE].base_url or ""
    async with governor.async_http_client(SERVICE, refusals="raise") as client:
        response = await client.post(base.rstrip("/") + path, json=body)
    if response.status_code != _OK:
        msg = f"Firecrawl answers {response.status_code}"
        raise InputError(msg)
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        msg = "Firecrawl answers no JSON"
        raise InputError(msg)
    return answer.get("data")
