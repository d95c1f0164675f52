"""What people and programs say of an application, as it may be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from jobsmith.applications.periods import from_micros, instant_of
from jobsmith.applications.record import EDITABLE, BadApplication

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["date_of", "line", "note_of", "read_fields"]

_LONGEST: Final = {"url": 2_000}
_LINE: Final = 300
_NOTE: Final = 10_000
_OLDEST: Final = 631_152_000_000_000
"""1 January 1990, in epoch microseconds: a date before it is a slip."""


def line(name: str, text: str, *, most: int = _LINE) -> str:
    """Return *text* on one line, blanks around it taken off.

    Raises:
        BadApplication: it is too long, or holds what can't be shown.
    """
    found = " ".join(text.split())
    if len(found) > most:
        msg = f"{name}: has {len(found):,} characters; {most:,} is the most"
        raise BadApplication(msg)
    if not found.isprintable():
        msg = f"{name}: holds characters that can't be shown"
        raise BadApplication(msg)
    return found


def note_of(text: str) -> str:
    """Return *text* as a note: its lines stay; raises BadApplication as *line*."""
    found = "\n".join(each.rstrip() for each in text.strip().splitlines())
    if len(found) > _NOTE:
        msg = f"note: has {len(found):,} characters; {_NOTE:,} is the most"
        raise BadApplication(msg)
    if not found.replace("\n", "").replace("\t", "").isprintable():
        msg = "note: holds characters that can't be shown"
        raise BadApplication(msg)
    return found


def read_fields(**given: str | None) -> dict[str, str]:
    """Return those of role, company, place and url that are given, fit to be kept.

    Raises:
        BadApplication: as *line*, or *url* is no web address.
    """
    found = {
        name: line(name, given[name] or "", most=_LONGEST.get(name, _LINE))
        for name in EDITABLE
        if given.get(name) is not None
    }
    if found.get("url"):
        _check_url(found["url"])
    return found


def date_of(text: str, zone: ZoneInfo, *, now: int) -> int:
    """Return the date or instant that *text* says, in epoch microseconds.

    Raises:
        BadApplication: it is none, lies ahead of *now*, or before 1990.
    """
    try:
        found = instant_of(text, zone)
    except (ValueError, OverflowError):
        msg = f"at: {text!r} is not a date or an instant, such as 2026-11-24 or 2026-11-24T13:00:00Z"
        raise BadApplication(msg) from None
    today = from_micros(now).astimezone(zone).date()
    if text.strip() == today.isoformat():
        return now  # at what time of today is not said, and it has been
    if not _OLDEST <= found <= now:
        msg = f"at: {text} lies {'ahead' if found > now else 'before 1990'}"
        raise BadApplication(msg)
    return found


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_address = False
    if not is_address:
        msg = "url: is not a web address, such as https://example.com/jobs/42"
        raise BadApplication(msg)
