"""The nouns of application records, and what can be wrong with one."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Final, Literal, get_args

import msgspec

from switchgear.errors import SwitchgearError

__all__ = [
    "EDITABLE",
    "SENT",
    "STATUSES",
    "Application",
    "ApplicationPage",
    "ApplicationsError",
    "BadApplication",
    "Entry",
    "File",
    "NoSuchApplication",
    "Run",
    "Status",
    "known_status",
]

Status = Literal["drafted", "ready", "applied", "interview", "offer", "rejected", "withdrawn"]

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
"""In the order in which an application usually has them."""

SENT: Final[frozenset[Status]] = frozenset({"applied", "interview", "offer", "rejected"})
"""Who has one of these was applied to, be it known when or not. ``withdrawn`` alone does not say so."""

EDITABLE: Final = ("role", "company", "place", "url")
"""What people may change in a record besides its status."""


class ApplicationsError(SwitchgearError):
    """The records can't be read or written."""


class NoSuchApplication(ApplicationsError, LookupError):
    """There is no application of that id or job."""


class BadApplication(ApplicationsError, ValueError):
    """What was said of an application makes no sense; *str()* of it says what."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an application's history.

    Attributes:
        kind: ``status``, ``note`` or ``edit``.
        at: when it happened; None: not known.
        noted_at: when it was written down.
        by: who wrote it down.
        status: what it became; None for other kinds.
        text: the note, or what was changed.
    """

    kind: Literal["status", "note", "edit"]
    at: dt.datetime | None
    noted_at: dt.datetime
    by: str
    status: Status | None = None
    text: str = ""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run of the pipeline that worked on it, and what it cost; None: some of it has no known price."""

    run: str
    at: dt.datetime
    cost_usd: Decimal | None


class File(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was written for it: *name* such as ``cv``, and which run wrote it."""

    name: str
    path: str
    run: str | None


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """One application.

    Attributes:
        id: a ULID.
        job: the attribution of the calls that were made for it; None: none were.
        status: the newest one of its history, by when it happened.
        applied_at: when it was sent; None: it was not, or nobody knows when.
        fit: 0 to 100; None: not scored.
        cost_usd: what its runs cost together; None: some of it has no known price.
        history, runs, files: in the order of time; empty in lists, see *Applications.get*.
    """

    id: str
    job: str | None
    role: str
    company: str
    place: str
    url: str
    status: Status
    applied_at: dt.datetime | None
    fit: int | None
    cost_usd: Decimal | None
    created_at: dt.datetime
    updated_at: dt.datetime
    history: tuple[Entry, ...] = ()
    runs: tuple[Run, ...] = ()
    files: tuple[File, ...] = ()

    @property
    def title(self) -> str:
        """Role and company, or whatever of it is known."""
        return ", ".join(filter(None, (self.role, self.company))) or self.job or self.id


class ApplicationPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some applications, the newest first; *next*: how to ask for those after them, None: there are none."""

    items: tuple[Application, ...]
    next: str | None


def known_status(text: str) -> Status:
    """Return *text* as a status.

    Raises:
        BadApplication: it is none.
    """
    for status in STATUSES:
        if text == status:
            return status
    msg = f"unknown status {text!r}; known are {', '.join(STATUSES)}"
    raise BadApplication(msg)
