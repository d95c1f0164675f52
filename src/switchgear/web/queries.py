"""Query strings: every key and value known, or a 400 that lists the valid ones."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from switchgear.calls import CallStatus, Reason
from switchgear.insight.days import next_day_start, to_micros
from switchgear.insight.outcomes import OUTCOMES, Outcome
from switchgear.insight.questions import BadQuestion, read_zone
from switchgear.ledger.views import CallFilter
from switchgear.web.problems import Problem

__all__ = [
    "CallQuery",
    "HealthQuery",
    "NoQuery",
    "ZoneQuery",
    "call_filter",
    "instant",
    "query_parameters",
    "read_query",
    "zone_of",
]


class NoQuery(BaseModel):
    """For addresses that take no query."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def names(cls) -> list[str]:
        """Return every valid key, as the address has it."""
        return sorted(field.alias or name for name, field in cls.model_fields.items())


class HealthQuery(NoQuery):
    """Of ``/api/health``."""

    strict: Annotated[Literal["0", "1"], Field(description="0: answer 200 even when unhealthy")] = "1"


class ZoneQuery(NoQuery):
    """For addresses that only say where times are read."""

    tz: Annotated[str | None, Field(description="IANA time zone; default: reporting_timezone")] = None


class CallQuery(ZoneQuery):
    """Which calls are wanted, and which page of them."""

    service: Annotated[str | None, Field(description="the service's name")] = None
    model: Annotated[str | None, Field(description="the model's name")] = None
    job: Annotated[str | None, Field(description="on behalf of which job")] = None
    run: Annotated[str | None, Field(description="of which run")] = None
    layer: Annotated[str | None, Field(description="of which layer")] = None
    key: Annotated[str | None, Field(description="made with which key")] = None
    trace_id: Annotated[str | None, Field(description="of which trace")] = None
    status: Annotated[CallStatus | None, Field(description="as the ledger has it")] = None
    outcome: Annotated[Outcome | None, Field(description="status and refused_by in one word")] = None
    refused_by: Annotated[Reason | None, Field(description="which kind of rule refused it")] = None
    since: Annotated[
        str | None, Field(alias="from", description="date (that whole day) or instant, inclusive; RFC 3339")
    ] = None
    until: Annotated[
        str | None, Field(alias="to", description="date (that whole day) or instant, exclusive; RFC 3339")
    ] = None
    limit: Annotated[int, Field(ge=1, le=500, description="rows on a page")] = 50
    after: Annotated[str | None, Field(description="the `next` of the page before")] = None

    def given(self) -> dict[str, str]:
        """Return which calls were asked for, by the names in the address, without how they are shown."""
        found = self.model_dump(by_alias=True, exclude_none=True, exclude={"limit", "after", "tz", "live"})
        return {key: str(value) for key, value in found.items()}


Query = TypeVar("Query", bound=NoQuery)


def read_query(request: Request, model: type[Query]) -> Query:
    """Return the request's query as *model*. Empty values, as forms send them, are not there.

    Raises:
        Problem: 400; an unknown key or value, a key given twice, or a NUL.
    """
    given: dict[str, str] = {}
    for key, value in request.query_params.multi_items():
        if key in given:
            raise Problem(400, f"{key}: given twice.", key=key)
        if "\0" in value:
            raise Problem(400, f"{key}: a NUL is in no name, and PostgreSQL does not look for one.", key=key)
        if value:
            given[key] = value
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        valid = model.names()
        if first["type"] == "extra_forbidden":
            detail = f"{key}: no such key. Valid keys: {', '.join(valid) or 'none'}."
            raise Problem(400, detail, key=key, valid=valid) from None
        choices = _choices(model, key)
        reason = f"one of {', '.join(choices)}" if choices else first["msg"].lower()
        raise Problem(400, f"{key}: {given[key]!r} is not valid: {reason}.", key=key, valid=choices) from None


def query_parameters(model: type[NoQuery]) -> dict[str, Any]:
    """Return the OpenAPI description of *model*, for a route's ``openapi_extra``."""
    properties = model.model_json_schema()["properties"]
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": schema.get("description", ""),
                "schema": _parameter_schema(schema),
            }
            for name, schema in properties.items()
        ]
    }


def call_filter(query: CallQuery, zone: ZoneInfo) -> CallFilter:
    """Return the filter of the ledger for *query*; dates are days in *zone*.

    Raises:
        Problem: 400; no date, or an outcome that contradicts a status.
    """
    status, refused_by = query.status, query.refused_by
    if query.outcome is not None:
        meant, reason = OUTCOMES[query.outcome]
        if status not in {None, meant} or (reason is not None and refused_by not in {None, reason}):
            raise Problem(400, f"outcome: {query.outcome!r} contradicts status or refused_by.", key="outcome")
        status, refused_by = meant, reason or refused_by
    return CallFilter(
        service=query.service,
        model=query.model,
        job=query.job,
        run=query.run,
        layer=query.layer,
        key=query.key,
        trace_id=query.trace_id,
        status=status,
        refused_by=refused_by,
        since=instant("from", query.since, zone),
        until=instant("to", query.until, zone, end=True),
    )


def zone_of(query: ZoneQuery, default: ZoneInfo) -> ZoneInfo:
    """Return the time zone that *query* asks for.

    Raises:
        Problem: 400; there is none of that name.
    """
    try:
        return default if query.tz is None else read_zone(query.tz)
    except BadQuestion as error:
        raise Problem(400, f"{error.key}: {error.detail}.", key=error.key, valid=list(error.valid)) from None


def instant(key: str, text: str | None, zone: ZoneInfo, *, end: bool = False) -> int | None:
    """Return *text* in epoch microseconds; the *end* of a date is the start of the day after.

    Raises:
        Problem: 400; it is neither a date nor an instant.
    """
    if text is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(text.replace(" ", "+"))
        start = to_micros(moment if moment.tzinfo else moment.replace(tzinfo=zone))
        is_date = "T" not in text.upper()
        return next_day_start(start, zone) if end and is_date else start
    except (ValueError, OverflowError):
        example = "2026-11-24 or 2026-11-24T13:00:00Z"
        raise Problem(400, f"{key}: {text!r} is not a date or an instant, such as {example}.", key=key) from None


def _choices(model: type[NoQuery], key: str) -> list[str]:
    schema = model.model_json_schema()["properties"].get(key, {})
    found = [schema, *schema.get("anyOf", ())]
    return [str(choice) for each in found for choice in each.get("enum", ())]


def _parameter_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave out null: a query key is given or not."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    kind = kinds[0] | ({"enum": schema["enum"]} if "enum" in schema else {})
    return {key: value for key, value in kind.items() if key not in {"description", "title", "default"}} | (
        {"default": schema["default"]} if schema.get("default") is not None else {}
    )
