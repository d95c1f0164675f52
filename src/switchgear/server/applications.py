"""The records of the job pipeline behind the pages: jobsmith stands outside, so it is plugged in here."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from switchgear.web.applications import ApplicationItem, ApplicationList, ApplicationStats
from switchgear.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobsmith.applications import Applications
    from switchgear.clock import Clock
    from switchgear.config.model import Config
    from switchgear.web.applications import ApplicationStatus, ApplicationsWanted

__all__ = ["PluggedApplications", "plug_applications"]

Shape = TypeVar("Shape", bound=msgspec.Struct)


def plug_applications(config: Config, clock: Clock) -> PluggedApplications:
    """Return the desk of *config*; nothing is opened before it is asked."""
    from jobsmith.applications import Applications

    return PluggedApplications(Applications.from_config(config, clock=clock))


class PluggedApplications:
    """Answers in the web's shapes; what is wrong is a Problem."""

    def __init__(self, applications: Applications) -> None:
        self._applications: Final = applications

    def adopt(self, config: Config) -> None:
        """Go by *config* from now on."""
        self._applications.adopt(config)

    def close(self) -> None:
        """Let go of every connection."""
        self._applications.close()

    @property
    def in_use(self) -> bool:
        with _problems():
            return self._applications.in_use

    def stats(self) -> ApplicationStats:
        with _problems():
            return _shaped(self._applications.stats(), ApplicationStats)

    def statuses(self) -> dict[ApplicationStatus, int]:
        with _problems():
            return dict(self._applications.statuses())

    def page(self, wanted: ApplicationsWanted, *, limit: int, after: str | None) -> ApplicationList:
        from jobsmith.applications import Wanted

        with _problems():
            return _shaped(self._applications.page(_shaped(wanted, Wanted), limit=limit, after=after), ApplicationList)

    def get(self, name: str) -> ApplicationItem:
        with _problems():
            return _shaped(self._applications.get(name), ApplicationItem)

    def set_status(self, name: str, status: str, *, at: str | None, note: str, by: str) -> ApplicationItem:
        with _problems():
            return _shaped(self._applications.set_status(name, status, at=at, note=note, by=by), ApplicationItem)

    def note(self, name: str, text: str, *, by: str) -> ApplicationItem:
        with _problems():
            return _shaped(self._applications.note(name, text, by=by), ApplicationItem)

    def edit(self, name: str, *, by: str, **facts: str | None) -> ApplicationItem:
        with _problems():
            return _shaped(self._applications.edit(name, by=by, **facts), ApplicationItem)

    def export_csv(self, wanted: ApplicationsWanted) -> Iterator[str]:
        from jobsmith.applications import Wanted

        with _problems():
            yield from self._applications.export_csv(_shaped(wanted, Wanted))


def _shaped(value: msgspec.Struct, shape: type[Shape]) -> Shape:
    return msgspec.convert(value, shape, from_attributes=True)


@contextmanager
def _problems() -> Iterator[None]:
    from jobsmith.applications import ApplicationsError, BadApplication, NoSuchApplication

    try:
        yield
    except NoSuchApplication as error:
        raise Problem(404, _sentence(error)) from None
    except BadApplication as error:
        raise Problem(400, _sentence(error)) from None
    except ApplicationsError as error:
        raise Problem(503, _sentence(error)) from error


def _sentence(error: Exception) -> str:
    text = f"{error}".replace("\n", "; ")
    return f"{text[:1].upper()}{text[1:]}."
