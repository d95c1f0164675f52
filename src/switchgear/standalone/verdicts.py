"""What the end of a protected call says about the service: an exception, a result, an event of a stream."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast, get_args

from switchgear.clock import micros
from switchgear.errors import Refused
from switchgear.policies.breaker import Judgement
from switchgear.wire.outcomes import retry_after_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Excluded", "IsFailure", "Judge", "OuterTimeout", "asked_us"]

Excluded: TypeAlias = "type[BaseException] | Callable[[BaseException], bool]"
"""A type of exception that says nothing about the service, or a predicate that tells one."""

IsFailure: TypeAlias = "Callable[[Any], bool | Judgement | None]"
"""Asked about a result or an exception. True: a failure. False: none (a success, or an exception
that says nothing). None: no opinion. A *Judgement* says it in full."""

OuterTimeout = Literal["neutral", "failure"]
"""What a call that is cancelled from outside says."""

_JUDGEMENTS: Final[frozenset[object]] = frozenset(
    value for part in get_args(Judgement) for value in (get_args(part) or (part,))
)
_RANK: Final[dict[Judgement, int]] = {"neutral": 0, "success": 1, "throttled": 2, "failure": 3}

_FOREVER: Final = 1e9
"""Seconds that no service means: some thirty years."""

_log: Final = logging.getLogger("switchgear.breaker")


class Judge:
    """Turns what came out of a call into a judgement.

    Args:
        excluded: exceptions that say nothing about the service, by type or by predicate.
        is_failure: has the say on results, and on exceptions that are not excluded.
        outer_timeout: what a cancelled call says. It can't be told apart who cancelled it.

    Raises:
        ValueError: an argument is not of its kind.
    """

    def __init__(
        self, excluded: Iterable[Excluded] | Excluded, is_failure: IsFailure | None, outer_timeout: OuterTimeout
    ) -> None:
        self.excluded: Final = _checked(excluded)
        self.is_failure: Final = is_failure
        given: object = is_failure
        if given is not None and not callable(given):
            msg = f"is_failure is a function of a result or an exception, not {given!r}"
            raise ValueError(msg)
        if outer_timeout not in get_args(OuterTimeout):
            msg = f'outer_timeout is "neutral" or "failure", not {outer_timeout!r}'
            raise ValueError(msg)
        self.outer_timeout: Final = outer_timeout
        self._types: Final = tuple(one for one in self.excluded if isinstance(one, type))
        self._predicates: Final = tuple(one for one in self.excluded if not isinstance(one, type))

    def of_error(self, error: BaseException, now: float) -> tuple[Judgement, int | None]:
        """Return what *error* says, and the microseconds that the service asked for, at epoch second *now*.

        A group says what the worst of its members says.
        """
        found: tuple[Judgement, int | None] = ("neutral", None)
        for leaf in self._leaves(error):
            judgement = self._of_leaf(leaf)
            if _RANK[judgement] > _RANK[found[0]]:
                found = judgement, asked_us(leaf, now)
        return found

    def of_result(self, result: object) -> Judgement:
        """Return what *result* says."""
        return self._opinion(result) or "success"

    def is_bad_event(self, event: object) -> bool:
        """Return whether an event within a stream is a failure of it."""
        return self.is_failure is not None and self._opinion(event) == "failure"

    def _leaves(self, error: BaseException) -> Iterator[BaseException]:
        if isinstance(error, BaseExceptionGroup) and not self._is_excluded(error):
            for inner in error.exceptions:
                yield from self._leaves(inner)
        else:
            yield error

    def _of_leaf(self, error: BaseException) -> Judgement:
        if isinstance(error, asyncio.CancelledError):
            return self.outer_timeout
        if not isinstance(error, Exception) or isinstance(error, Refused) or self._is_excluded(error):
            return "neutral"
        opinion = self._opinion(error, no="neutral")
        return "failure" if opinion is None else opinion

    def _is_excluded(self, error: BaseException) -> bool:
        return isinstance(error, self._types) or any(_guarded(test, error) for test in self._predicates)

    def _opinion(self, thing: object, *, no: Judgement = "success") -> Judgement | None:
        if self.is_failure is None:
            return None
        said = _guarded(self.is_failure, thing)
        if isinstance(said, bool):
            return "failure" if said else no
        return said


def asked_us(thing: object, now: float) -> int | None:
    """Return for how many microseconds *thing* asks to leave its service alone, at epoch second *now*.

    Reads an attribute *retry_after* (seconds, a timedelta, or the header's text), and the header in
    *headers* or *response.headers*. What is negative, past or garbage is ignored.
    """
    try:
        seconds = _asked(thing, now)
    except Exception:  # noqa: BLE001 - a result is somebody else's object; it is logged
        _log.exception("no Retry-After could be read from %s", type(thing).__name__)
        return None
    return micros(seconds) if seconds is not None and 0 < seconds < _FOREVER else None


def _asked(thing: object, now: float) -> float | None:
    said = getattr(thing, "retry_after", None)
    if isinstance(said, dt.timedelta):
        return said.total_seconds()
    if isinstance(said, int | float) and not isinstance(said, bool):
        return float(said)
    if isinstance(said, str):
        return retry_after_of([("retry-after", said)], now)
    headers = getattr(thing, "headers", None) or getattr(getattr(thing, "response", None), "headers", None)
    if headers is None:
        return None
    return retry_after_of([(str(name), str(value)) for name, value in headers.items()], now)


def _guarded(predicate: Callable[[Any], object], thing: object) -> bool | Judgement | None:
    try:
        said = predicate(thing)
        if said is None or (isinstance(said, str) and said in _JUDGEMENTS):
            return cast("Judgement | None", said)
        return bool(said)
    except Exception:  # noqa: BLE001 - a predicate is somebody else's code; it is logged, and has no say
        _log.exception("a predicate failed on %s", type(thing).__name__)
        return None


def _checked(excluded: object) -> tuple[Excluded, ...]:
    found: tuple[Any, ...] = tuple(excluded) if isinstance(excluded, Iterable) else (excluded,)
    for one in found:
        if not (issubclass(one, BaseException) if isinstance(one, type) else callable(one)):
            msg = f"excluded holds types of exceptions and predicates, not {one!r}"
            raise ValueError(msg)
    return found
