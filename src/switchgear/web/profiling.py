"""Which calls a profile is of, as addresses say it."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from switchgear.ledger.views import CallFilter
from switchgear.web.queries import ZoneQuery, instant, zone_of

__all__ = ["ProfileQuery", "profile_filter"]


class ProfileQuery(ZoneQuery):
    """Of the profile; without anything it is of the newest calls."""

    run: Annotated[str | None, Field(description="of which run")] = None
    job: Annotated[str | None, Field(description="on behalf of which job")] = None
    service: Annotated[str | None, Field(description="the service's name")] = None
    layer: Annotated[str | None, Field(description="of which layer")] = None
    since: Annotated[
        str | None, Field(alias="from", description="date (that whole day) or instant, inclusive; RFC 3339")
    ] = None
    until: Annotated[
        str | None, Field(alias="to", description="date (that whole day) or instant, exclusive; RFC 3339")
    ] = None

    def given(self) -> dict[str, str]:
        """Return which calls were asked for, by the names in the address."""
        found = self.model_dump(by_alias=True, exclude_none=True, exclude={"tz"})
        return {key: str(value) for key, value in found.items()}


def profile_filter(query: ProfileQuery, default: ZoneInfo) -> CallFilter:
    """Return the filter of the ledger for *query*; dates are days in its zone, or else in *default*.

    Raises:
        Problem: 400; no date, or no time zone.
    """
    zone = zone_of(query, default)
    return CallFilter(
        run=query.run,
        job=query.job,
        service=query.service,
        layer=query.layer,
        since=instant("from", query.since, zone),
        until=instant("to", query.until, zone, end=True),
    )
