"""The shape of ``[applications]``: where application records are kept and counted, and what is aimed at."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from switchgear.config.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ApplicationsConfig", "GoalsConfig", "MongoConfig", "application_problems"]

_Count = Annotated[StrictInt, Field(gt=0)]
_Name = Annotated[StrictStr, Field(min_length=1)]
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FIELD: Final = re.compile(r"[^$.\0][^$\0]*")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class GoalsConfig(_Section):
    """How many applications one wants to send; None: no goal."""

    day: _Count | None = None
    week: _Count | None = None
    month: _Count | None = None


class MongoConfig(_Section):
    """A MongoDB collection in which others keep applications: they are counted there, and never changed.

    *applied*: what stands in *status_field* of one that was sent.
    """

    url: StrictStr | None = None
    url_env: StrictStr | None = None
    database: _Name | None = None
    collection: _Name = "applications"
    status_field: _Name = "status"
    applied: StrictStr = "applied"
    date_field: _Name = "applied_at"


class ApplicationsConfig(_Section):
    """Where application records are kept, and how they are counted.

    *url*: None: in the ledger's database, or in a file beside the ledger's.
    """

    url: StrictStr | None = None
    periods: Literal["calendar", "rolling"] = "calendar"
    week_start: Literal["monday", "saturday", "sunday"] = "monday"
    goals: GoalsConfig = GoalsConfig()
    mongo: MongoConfig = MongoConfig()


def application_problems(applications: ApplicationsConfig) -> Iterator[Problem]:
    """Yield what is wrong with *applications* although every type is right."""
    url, mongo = applications.url, applications.mongo
    if url is not None and url.partition("://")[0] not in {"sqlite", "postgresql", "postgresql+psycopg"}:
        # What stands there may hold a password, so it is not repeated; likewise below.
        text = 'must be such as "sqlite:///FILE" or "postgresql+psycopg://USER@HOST/DATABASE"'
        yield Problem(("applications", "url"), text)
    if mongo.url is not None and mongo.url_env is not None:
        yield Problem(("applications", "mongo", "url_env"), "url is set too; keep one of the two")
    if mongo.url_env is not None and not _VARIABLE.fullmatch(mongo.url_env):
        text = "must be the name of an environment variable, not its value"
        yield Problem(("applications", "mongo", "url_env"), text)
    if mongo.url is not None:
        yield from _mongo_url(mongo.url)
    elif mongo.url_env is None and mongo != MongoConfig():
        yield Problem(("applications", "mongo"), "of no effect without url or url_env")
    for key in ("status_field", "date_field"):
        if not _FIELD.fullmatch(getattr(mongo, key)):
            yield Problem(("applications", "mongo", key), 'must be the name of a field, such as "applied_at"')


def _mongo_url(url: str) -> Iterator[Problem]:
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"mongodb", "mongodb+srv"} and bool(parts.netloc)
    except ValueError:
        parts, is_address = urlsplit(""), False
    if not is_address:
        text = 'must be an address such as "mongodb://127.0.0.1:27017/jobs"'
        yield Problem(("applications", "mongo", "url"), text)
    elif "@" in parts.netloc:
        text = "must not hold a user or password; name a variable with the whole address as url_env"
        yield Problem(("applications", "mongo", "url"), text)
