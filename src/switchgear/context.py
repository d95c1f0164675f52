"""Attribution of the running task or thread, in a context variable: concurrent tasks never mix."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from switchgear.calls import NO_ATTRIBUTION, Attribution

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["attribution", "current", "merged"]

_current: Final[ContextVar[Attribution]] = ContextVar("switchgear_attribution", default=NO_ATTRIBUTION)


def current() -> Attribution:
    """Return the attribution in force here."""
    return _current.get()


def merged(outer: Attribution, inner: Attribution) -> Attribution:
    """Return *inner*, completed by *outer* where it says nothing; tags are joined, *inner*'s win."""
    if outer is NO_ATTRIBUTION:
        return inner
    if inner is NO_ATTRIBUTION:
        return outer
    return Attribution(
        job=inner.job if inner.job is not None else outer.job,
        run=inner.run if inner.run is not None else outer.run,
        layer=inner.layer if inner.layer is not None else outer.layer,
        key=inner.key if inner.key is not None else outer.key,
        tags=tuple(sorted({**dict(outer.tags), **dict(inner.tags)}.items())),
    )


@contextlib.contextmanager
def attribution(
    *,
    job: str | None = None,
    run: str | None = None,
    layer: str | None = None,
    key: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Iterator[Attribution]:
    """Say on whose behalf the calls inside the ``with`` block are made.

    Blocks nest: what an inner one leaves out it takes from the outer one. Tasks and threads
    started inside inherit it the way context variables do.
    """
    inner = Attribution(job=job, run=run, layer=layer, key=key, tags=tuple(sorted((tags or {}).items())))
    token = _current.set(merged(_current.get(), inner))
    try:
        yield _current.get()
    finally:
        _current.reset(token)
