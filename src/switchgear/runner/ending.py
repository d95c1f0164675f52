"""How an execution of a run ended, and what is put on record of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from switchgear.runner.codec import as_json
from switchgear.runner.faults import LayerFailed, RunnerError, Stopped
from switchgear.runner.tasks import stop_in

if TYPE_CHECKING:
    from switchgear.runner.session import Session

__all__ = ["Ending", "ending_of"]

_LONGEST: Final = 2_000


class Ending:
    """What becomes of a run.

    Attributes:
        values: what is set in its row; None: it is not this worker's any more.
        text: what its log says.
        parks: it can go on from here, so for DBOS it has not ended.
    """

    def __init__(self, values: dict[str, Any] | None, text: str, *, parks: bool = False) -> None:
        self.values: Final = values
        self.text: Final = text
        self.parks: Final = parks


def ending_of(session: Session, error: BaseException | None, result: object = None) -> Ending:
    """Return how *session* ended: with *result*, or with *error*."""
    now = session.shop.now()
    if error is None:
        try:
            output = as_json(session.pipeline.signature.dump_result(result), "the result of the pipeline")
        except RunnerError as wrong:
            return _failed(wrong, now)
        return Ending({"status": "ok", "ended_at": now, "output": output, "error": None}, "it ended well")
    stop = stop_in(error)
    if stop is None and isinstance(error, asyncio.CancelledError):
        stop = session.stopping or Stopped("drain", "its worker is about to end")
    if stop is not None and stop.why == "timeout":
        error, stop = TimeoutError(), None
    if stop is not None:
        return _stopped(stop, now)
    remaining = session.remaining()
    if isinstance(error, TimeoutError) and remaining is not None and remaining <= 0:
        limit = (session.row.timeout or 0) / 1e6
        return _failed(TimeoutError(f"the run took longer than {limit:g} s"), now)
    return _failed(error, now)


def _stopped(stop: Stopped, now: int) -> Ending:
    if stop.why == "pause":
        until = "it waits until somebody resumes it" if stop.resume_at is None else "it goes on by itself"
        values = {"status": "paused", "reason": stop.reason[:_LONGEST], "due_at": stop.resume_at or 0}
        return Ending(values, f"it is paused: {stop.reason}; {until}", parks=True)
    if stop.why == "cancel":
        values = {"status": "cancelled", "ended_at": now, "reason": stop.reason[:_LONGEST]}
        return Ending(values, f"it is cancelled: {stop.reason}", parks=True)
    if stop.why == "drain":
        return Ending({"status": "queued"}, f"it is back in the queue: {stop.reason}", parks=True)
    return Ending(None, stop.reason, parks=True)


def _failed(error: BaseException, now: int) -> Ending:
    first = _first(error)
    told = str(first) if isinstance(first, LayerFailed) else f"{type(first).__name__}: {first}"
    told = told[:_LONGEST]
    values = {"status": "failed", "ended_at": now, "error": told, "output": None}
    return Ending(values, f"it failed: {told}")


def _first(error: BaseException) -> BaseException:
    """Return *error*, or the first of those that a task group has gathered."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
