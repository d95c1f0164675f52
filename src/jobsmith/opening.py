"""What an application needs of a configuration, and the order that it is made from."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from jobsmith.errors import InputError
from jobsmith.inputs.firecrawl import has_firecrawl, scrape
from jobsmith.inputs.posting import is_url, posting_from_bytes, posting_from_file, posting_of
from jobsmith.inputs.text import LARGEST_BYTES
from jobsmith.inputs.web import fetch_posting
from switchgear.config import load_text

if TYPE_CHECKING:
    from jobsmith.inputs.posting import Posting
    from switchgear import Governor
    from switchgear.config import Config

__all__ = ["LOCAL", "letter_date", "posting_at", "posting_here", "with_services"]

LOCAL: Final = "local"
"""The service of the model on this machine."""

_NEEDED: Final = """
[services.postings]
limits = { requests_per_minute = 30, concurrent = 4 }
[services.pdf_service]
"""


def with_services(config: Config, *, local_url: str | None = None, local_model: str = "") -> Config:
    """Return *config* with the services that an application needs where it has none of that name.

    Args:
        config: as read.
        local_url: where the model on this machine answers; None: it is not used.
        local_model: its name; it has a price of 0, since it costs nothing.
    """
    text = _NEEDED
    if local_url is not None:
        text += f"""
[services.{LOCAL}]
kind = "openai"
provider = "{LOCAL}"
base_url = "{local_url}"
limits = {{ concurrent = 4 }}
prices = {{ "{local_model}" = {{ input = "0", output = "0" }} }}
"""
    needed = load_text(text).services
    services = {**needed, **config.services}
    if local_url is not None:
        services[LOCAL] = needed[LOCAL]
    return config.model_copy(update={"services": services})


async def posting_at(governor: Governor, url: str) -> Posting:
    """Return the posting at *url*, through Firecrawl where that is configured.

    Raises:
        InputError: it can't be used.
        Refused: the gate refuses to fetch it.
    """
    if has_firecrawl(governor):
        return posting_of(await scrape(governor, url), origin=url)
    return await fetch_posting(governor, url)


def posting_here(given: str) -> Posting | None:
    """Return the posting that *given* names: ``-`` for standard input, a file, or the text itself; None: it is a URL.

    Raises:
        InputError: it can't be used.
    """
    if is_url(given):
        return None
    if given == "-":
        return posting_from_bytes(sys.stdin.buffer.read(LARGEST_BYTES + 1), origin="stdin")
    path = Path(given)
    if "\n" in given or (len(given.split()) > 1 and not _is_file(path)):
        return posting_of(given)
    if not _is_file(path):
        msg = f"{given}: there is no such file"
        raise InputError(msg)
    return posting_from_file(path)


def letter_date(governor: Governor) -> str:
    """Return today, where the configuration says that days are cut, such as ``24 November 2026``."""
    zone = ZoneInfo(governor.config.server.reporting_timezone)
    day = datetime.fromtimestamp(governor.clock.now(), UTC).astimezone(zone)
    return f"{day.day} {day:%B} {day.year}"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # no name of a file at all
        return False
