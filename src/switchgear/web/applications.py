"""What pages and API ask of whoever keeps application records. Who that is, whoever composes the server knows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Final, Literal, Protocol, get_args

import msgspec

from switchgear.web.problems import Problem

__all__ = [
    "STATUSES",
    "ApplicationDesk",
    "ApplicationEntry",
    "ApplicationFile",
    "ApplicationGoal",
    "ApplicationItem",
    "ApplicationList",
    "ApplicationRun",
    "ApplicationStats",
    "ApplicationStatus",
    "ApplicationsWanted",
    "desk_of",
]

ApplicationStatus = Literal["drafted", "ready", "applied", "interview", "offer", "rejected", "withdrawn"]

STATUSES: Final[tuple[ApplicationStatus, ...]] = get_args(ApplicationStatus)


class ApplicationsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which applications are wanted; None: whatever it is.

    *since*, *until*: when they were sent, in epoch microseconds, before *until*.
    """

    status: ApplicationStatus | None = None
    company: str | None = None
    job: str | None = None
    text: str | None = None
    since: int | None = None
    until: int | None = None


class ApplicationEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a history. *at*: when it happened, null if nobody knows; *noted_at*: when it was written down."""

    kind: Literal["status", "note", "edit"]
    at: dt.datetime | None
    noted_at: dt.datetime
    by: str
    status: ApplicationStatus | None
    text: str


class ApplicationRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that worked on it. *cost_usd* null: some of it has no known price."""

    run: str
    at: dt.datetime
    cost_usd: Decimal | None


class ApplicationFile(msgspec.Struct, frozen=True, kw_only=True):
    """What the newest run wrote under this name."""

    name: str
    path: str
    run: str | None


class ApplicationItem(msgspec.Struct, frozen=True, kw_only=True):
    """An application. *history*, *runs* and *files* are in its own answer, and empty in lists.

    *applied_at* null: it was not sent, or nobody knows when. *fit*: 0 to 100. *cost_usd*: of its runs
    together; null: some of it has no known price.
    """

    id: str
    job: str | None
    role: str
    company: str
    place: str
    url: str
    status: ApplicationStatus
    applied_at: dt.datetime | None
    fit: int | None
    cost_usd: Decimal | None
    created_at: dt.datetime
    updated_at: dt.datetime
    history: tuple[ApplicationEntry, ...] = ()
    runs: tuple[ApplicationRun, ...] = ()
    files: tuple[ApplicationFile, ...] = ()

    @property
    def title(self) -> str:
        """Role and company, or whatever of it is known."""
        return ", ".join(filter(None, (self.role, self.company))) or self.job or self.id


class ApplicationList(msgspec.Struct, frozen=True, kw_only=True):
    """Applications, the newest record first. *next*: the `after` of the next page; null: there is none."""

    items: tuple[ApplicationItem, ...]
    next: str | None


class ApplicationGoal(msgspec.Struct, frozen=True, kw_only=True):
    """So many in a period. *percent* is rounded down, so 100 means reached; it goes on beyond."""

    period: Literal["day", "week", "month"]
    goal: int
    count: int
    percent: int
    reached: bool


class ApplicationStats(msgspec.Struct, frozen=True, kw_only=True):
    """How many applications were sent, by when they were sent.

    *total* counts those *without_date* too; they are in no period. *streak_days*: days in a row with one
    at least, up to today, or to yesterday while today has none. *daily_average*: of the last 30 days, or
    of those since the first. *periods*: `calendar`, cut in *timezone*, or `rolling` (24 h, 7 and 30 days).
    """

    today: int
    week: int
    month: int
    total: int
    without_date: int
    goals: tuple[ApplicationGoal, ...]
    streak_days: int
    daily_average: Decimal | None
    periods: Literal["calendar", "rolling"]
    timezone: str
    day_since: dt.datetime
    week_since: dt.datetime
    month_since: dt.datetime
    source: str
    generated_at: dt.datetime


class ApplicationDesk(Protocol):
    """Whoever keeps the records. Each method raises Problem: 400, 404, or 503 if they can't be read or written."""

    @property
    def in_use(self) -> bool:
        """Whether there are records, or the configuration speaks of them."""

    def stats(self) -> ApplicationStats:
        """Return the numbers of now."""

    def statuses(self) -> dict[ApplicationStatus, int]:
        """Return how many have each status that any has."""

    def page(self, wanted: ApplicationsWanted, *, limit: int, after: str | None) -> ApplicationList:
        """Return a page."""

    def get(self, name: str) -> ApplicationItem:
        """Return the whole of one, by its id or job."""

    def set_status(self, name: str, status: str, *, at: str | None, note: str, by: str) -> ApplicationItem:
        """Say what became of it. *at*: a date or an instant; None: now."""

    def note(self, name: str, text: str, *, by: str) -> ApplicationItem:
        """Add a note."""

    def edit(
        self,
        name: str,
        *,
        by: str,
        role: str | None = None,
        company: str | None = None,
        place: str | None = None,
        url: str | None = None,
    ) -> ApplicationItem:
        """Change what is given."""

    def export_csv(self, wanted: ApplicationsWanted) -> Iterator[str]:
        """Yield the lines of a CSV file."""


def desk_of(desk: ApplicationDesk | None) -> ApplicationDesk:
    """Return *desk*.

    Raises:
        Problem: 503; this server has none.
    """
    if desk is None:
        raise Problem(503, "Nobody keeps application records here: this process has none.")
    return desk
