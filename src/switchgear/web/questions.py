"""Queries of the reports, and their mistakes as problems."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import Field
from starlette.responses import Response

from switchgear.insight.buckets import Bucket
from switchgear.insight.questions import BadQuestion
from switchgear.insight.usage import Metric
from switchgear.web.problems import Problem
from switchgear.web.queries import NoQuery
from switchgear.web.respond import documented

__all__ = ["CostQuery", "ForecastQuery", "UsageQuery", "answerable", "csv_answer", "documented_with_csv"]

_BY: Final = "names with commas: service, provider, model, layer, key, status, job, run, tag.<name>"

Format = Annotated[Literal["json", "csv"], Field(description="the same numbers either way")]
Zone = Annotated[str | None, Field(description="IANA time zone; default: reporting_timezone")]
Since = Annotated[str | None, Field(alias="from", description="date or month (whole), or instant, inclusive; RFC 3339")]
Until = Annotated[str | None, Field(alias="to", description="date or month (whole), or instant, exclusive; RFC 3339")]
Limit = Annotated[int, Field(ge=1, le=1000, description="rows on a page; CSV has no pages")]
After = Annotated[str | None, Field(description="the `next` of the page before")]


class UsageQuery(NoQuery):
    """Of ``/api/usage``."""

    metric: Annotated[Metric, Field(description="what each row's `value` is")] = "cost"
    by: Annotated[str, Field(description=f"{_BY}; none: one group")] = "service"
    bucket: Annotated[Bucket, Field(description="how time is cut")] = "none"
    since: Since = None
    until: Until = None
    tz: Zone = None
    service: Annotated[str | None, Field(description="only this service")] = None
    model: Annotated[str | None, Field(description="only this model, as billed")] = None
    layer: Annotated[str | None, Field(description="only this layer")] = None
    key: Annotated[str | None, Field(description="only calls with this key")] = None
    format: Format = "json"
    limit: Limit = 500
    after: After = None


class CostQuery(NoQuery):
    """Of ``/api/costs``."""

    month: Annotated[str | None, Field(description="such as 2026-11; default: the running month")] = None
    day: Annotated[str | None, Field(description="such as 2026-11-24, instead of a month")] = None
    since: Since = None
    until: Until = None
    by: Annotated[str | None, Field(description=f"{_BY}; default: six parts, each by one name")] = None
    tz: Zone = None
    format: Format = "json"
    limit: Annotated[int, Field(ge=1, le=1000, description="groups of a part; the others are summed as its rest")] = 20


class ForecastQuery(NoQuery):
    """Of ``/api/forecast``."""

    budget: Annotated[str | None, Field(description="only this budget")] = None
    value: Annotated[str | None, Field(description="only the account of this value of the budget's `each`")] = None
    limit: Annotated[int, Field(ge=1, le=100, description="accounts on a page")] = 20
    after: After = None


@contextmanager
def answerable() -> Iterator[None]:
    """Turn a question that can't be answered into a 400 that lists what is valid."""
    try:
        yield
    except BadQuestion as error:
        raise Problem(400, f"{error.key}: {error.detail}.", key=error.key, valid=list(error.valid)) from None


def csv_answer(text: str, name: str) -> Response:
    """Return *text* as a CSV file called *name*."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(text, media_type="text/csv", headers=headers)


def documented_with_csv(body: type[msgspec.Struct]) -> dict[int | str, dict[str, Any]]:
    """Return a route's ``responses``: *body*, or the same as CSV."""
    found = documented(body, 400, 503)
    found[200]["content"] = {**found[200]["content"], "text/csv": {"schema": {"type": "string"}}}
    return found
