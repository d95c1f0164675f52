"""The front door of the records."""

from __future__ import annotations

import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Self
from zoneinfo import ZoneInfo

from jobsmith.applications import changing, csv_files, listing
from jobsmith.applications.counting import SqlCounting
from jobsmith.applications.mongo import Fields, MongoCounting, open_collection
from jobsmith.applications.periods import frame
from jobsmith.applications.place import Place, beside
from jobsmith.applications.record import STATUSES, ApplicationsError, known_status
from jobsmith.applications.rows import When, find, whole
from jobsmith.applications.stats import stats_of
from jobsmith.applications.wording import date_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Literal

    from jobsmith.applications.csv_files import Imported
    from jobsmith.applications.listing import Wanted
    from jobsmith.applications.periods import Period
    from jobsmith.applications.record import Application, ApplicationPage, Status
    from jobsmith.applications.stats import ApplicationStats, Counting
    from switchgear.clock import Clock
    from switchgear.config import Config
    from switchgear.config.applications import ApplicationsConfig

__all__ = ["Applications"]

_WEEK_STARTS: Final = {"monday": 0, "saturday": 5, "sunday": 6}


class Applications:
    """Application records and their statistics. Opened when first used; may be shared by threads.

    Every method raises ApplicationsError when the records can't be read or written.

    Args:
        config: where they are kept, and what is aimed at; reporting time zone.
        clock: the time.
        environ: where the address of MongoDB may be; default: the process's.
    """

    def __init__(self, config: Config, *, clock: Clock, environ: Mapping[str, str] | None = None) -> None:
        self._config = config
        self._clock: Final = clock
        self._environ: Final = os.environ if environ is None else environ
        self._place = Place(config.applications.url or beside(config.ledger.url))
        self._counting: Counting | None = None

    @classmethod
    def from_config(cls, config: Config, *, clock: Clock, environ: Mapping[str, str] | None = None) -> Self:
        """Return the records of *config*; see the class."""
        return cls(config, clock=clock, environ=environ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of every connection; the next use opens them again."""
        self._stop_counting()
        self._place.close()

    def adopt(self, config: Config) -> None:
        """Go by *config* from now on."""
        old, self._config = self._config, config
        if (old.applications.url, old.ledger.url) != (config.applications.url, config.ledger.url):
            self._place.close()
            self._place = Place(config.applications.url or beside(config.ledger.url))
        self._stop_counting()

    @property
    def in_use(self) -> bool:
        """Whether somebody asked for applications: there are records, or the configuration speaks of them."""
        settings = self._settings
        return settings != type(settings)() or bool(self._place.exists and self.statuses())

    def record(
        self,
        *,
        job: str,
        run: str | None = None,
        status: Literal["drafted", "ready"] = "drafted",
        fit: int | None = None,
        cost_usd: Decimal | None = Decimal(0),
        files: Mapping[str, str | Path] | None = None,
        by: str = "pipeline",
        **facts: str,
    ) -> Application:
        """Note what a run did for *job*: the first time this makes the record, then it brings it up to date.

        The same said twice changes nothing, so a run that is resumed may say it again. What people
        have written stays: *facts* fill in what is blank, and no run ever un-applies an application
        or takes ``ready`` back.

        Args:
            job: the attribution of the calls; one job is one application.
            run: the run, kept with its cost; None: no run is noted.
            status: how far it got.
            fit: 0 to 100; None: as it was.
            cost_usd: what *run* has cost in all; None: some of it has no known price.
            files: what it wrote, by name such as ``cv``; others stay.
            by: whom the history names.
            facts: ``role``, ``company``, ``place``, ``url``.

        Raises:
            BadApplication: a value that can't be kept; nothing is changed.
        """
        said = changing.Said(
            job=job, run=run, status=status, fit=fit, cost_usd=cost_usd, files=files or {}, by=by, facts=facts
        )
        with self._place.writing() as connection:
            name = changing.record(connection, said, self._when())
            return whole(connection, find(connection, name))

    def get(self, name: str) -> Application:
        """Return the application whose id or job is *name*, with everything there is of it.

        Raises:
            NoSuchApplication: there is none.
        """
        with self._place.reading() as connection:
            return whole(connection, find(connection, name))

    def page(self, wanted: Wanted, *, limit: int = 50, after: str | None = None) -> ApplicationPage:
        """Return the page after the one whose ``next`` was *after*, the newest record first.

        Raises:
            BadApplication: *after* is no such thing.
        """
        with self._place.reading() as connection:
            return listing.page_of(connection, wanted, limit=limit, after=after)

    def statuses(self) -> dict[Status, int]:
        """Return how many have each status, in the usual order; those that none has are left out."""
        with self._place.reading() as connection:
            found = listing.statuses(connection)
        return {status: found[status] for status in STATUSES if status in found}

    def set_status(self, name: str, status: str, *, at: str | None = None, note: str = "", by: str) -> Application:
        """Say what became of an application, and return it.

        Args:
            name: its id or job.
            status: one of STATUSES. ``drafted`` and ``ready`` say that it was not sent after all.
            at: when: a date of the reporting time zone, or an instant; None: now. One before what is
                known already does not change how it stands now.
            note: goes into the history beside it.
            by: who says so.

        Raises:
            NoSuchApplication: there is none of that name.
            BadApplication: no such status, or a date that lies ahead.
        """
        known, when = known_status(status), self._when()
        happened = date_of(at, when.zone, now=when.now) if at else when.now
        with self._place.writing() as connection:
            found = changing.set_status(connection, name, known, when, at=happened, note=note, by=by)
            return whole(connection, find(connection, found))

    def note(self, name: str, text: str, *, by: str) -> Application:
        """Add a note to the history; raises NoSuchApplication, or BadApplication for an empty one."""
        with self._place.writing() as connection:
            found = changing.add_note(connection, name, text, self._when(), by=by)
            return whole(connection, find(connection, found))

    def edit(self, name: str, *, by: str, **facts: str | None) -> Application:
        """Change those of role, company, place and url that are given; None: as it is. What it was stays on record.

        Raises:
            NoSuchApplication: there is none of that name.
            BadApplication: a value that can't be kept.
        """
        with self._place.writing() as connection:
            found = changing.edit(connection, name, facts, self._when(), by=by)
            return whole(connection, find(connection, found))

    def import_csv(self, text: str, *, by: str, dry_run: bool = False) -> Imported:
        """Take over the rows of *text*; all of them, or none; see docs/applications.md for the columns.

        Raises:
            BadApplication: each line of it is one row that can't be taken; nothing is changed.
        """
        when = self._when()
        rows = csv_files.read_rows(text, when)
        if dry_run:
            with self._place.reading() as connection:
                return csv_files.compare(connection, rows)
        with self._place.writing() as connection:
            return csv_files.take(connection, rows, when, by=by)

    def export_csv(self, wanted: Wanted) -> Iterator[str]:
        """Yield the lines of a CSV file of all that are *wanted*, the newest first, its header first."""
        with self._place.reading() as connection:
            yield from csv_files.lines_of(connection, wanted)

    def stats(self) -> ApplicationStats:
        """Return how many were sent today, this week, this month and in all; by one query."""
        settings, when = self._settings, self._when()
        week_start = _WEEK_STARTS[settings.week_start]
        return stats_of(
            self._counted_by(),
            frame(when.now, when.zone, mode=settings.periods, week_start=week_start),
            now=when.now,
            mode=settings.periods,
            goals=self._goals(),
        )

    def _stop_counting(self) -> None:
        counting, self._counting = self._counting, None
        if counting is not None:
            counting.close()

    def _goals(self) -> dict[Period, int | None]:
        goals = self._settings.goals
        return {"day": goals.day, "week": goals.week, "month": goals.month}

    def _counted_by(self) -> Counting:
        if self._counting is None:
            mongo = self._settings.mongo
            if mongo.url is None and mongo.url_env is None:
                self._counting = SqlCounting(self._place)
            else:
                fields = Fields(status=mongo.status_field, applied=mongo.applied, date=mongo.date_field)
                self._counting = MongoCounting(self._collection(mongo), fields)
        return self._counting

    def _collection(self, mongo: Any) -> Any:  # noqa: ANN401 - pymongo's types need its extra
        url = mongo.url or self._environ.get(mongo.url_env)
        if not url:
            msg = f"applications.mongo.url_env: {mongo.url_env} is not set"
            raise ApplicationsError(msg)
        return open_collection(url, mongo.database, mongo.collection)

    @property
    def _settings(self) -> ApplicationsConfig:
        return self._config.applications

    def _when(self) -> When:
        return When(self._clock.moment().wall, ZoneInfo(self._config.server.reporting_timezone))
