"""What a running layer can say and ask: its run, its progress, its log, its files."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol

from switchgear.runner.faults import RunnerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from switchgear.clients.governor import Governor
    from switchgear.runner.layers import Layer
    from switchgear.runner.views import Artefact

__all__ = [
    "LayerContext",
    "RunningSession",
    "artefact",
    "governor",
    "in_layer",
    "in_run",
    "log",
    "progress",
    "running_layer",
    "running_session",
]


class LayerContext(Protocol):
    """The running layer.

    Attributes:
        run: the run's name.
        job: what it is done for.
        layer: the layer's name.
        step: counts the layers of the run.
        execution: counts how often this layer was begun in this run; above 1: a worker died in it, or it was resumed.
        idempotency_key: the same each time that this layer of this run is begun: hand it to services
            that recognise a repeated request by one. The calls of the layer carry it as the tag ``idempotency``.
    """

    @property
    def run(self) -> str: ...

    @property
    def job(self) -> str | None: ...

    @property
    def layer(self) -> str: ...

    @property
    def step(self) -> int: ...

    @property
    def execution(self) -> int: ...

    @property
    def idempotency_key(self) -> str: ...

    def progress(self, done: float, total: float | None, note: str | None) -> None: ...

    def log(self, text: str) -> None: ...

    def artefact(self, name: str, content: bytes | str | Path, media_type: str | None) -> Artefact: ...


class RunningSession(Protocol):
    """A run under way, as its layers know it."""

    @property
    def governor(self) -> Governor: ...

    def perform(self, layer: Layer[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> object: ...


_session: Final[ContextVar[RunningSession | None]] = ContextVar("switchgear_run", default=None)
_layer: Final[ContextVar[LayerContext | None]] = ContextVar("switchgear_layer", default=None)


def running_session() -> RunningSession | None:
    """Return the run that a call of a layer belongs to; None outside runs, and inside a layer."""
    return _session.get() if _layer.get() is None else None


def governor() -> Governor:
    """Return the governor of the runner that executes the run here: what its layers make their calls through.

    Raises:
        RunnerError: no run is executed here. Tests hand their layers a client of their own.
    """
    session = _session.get()
    if session is None:
        msg = "no run is executed here, so there is no governor of one"
        raise RunnerError(msg)
    return session.governor


def running_layer() -> LayerContext | None:
    """Return the layer that runs here; None outside a run."""
    return _layer.get()


def progress(done: float, total: float | None = None, note: str | None = None) -> None:
    """Say how far the running layer is: *done* of *total* in its own unit, and what it is at.

    Outside a run nothing happens.
    """
    if (here := _layer.get()) is not None:
        here.progress(done, total, note)


def log(text: str) -> None:
    """Add a line to the log of the run; outside a run nothing happens."""
    if (here := _layer.get()) is not None:
        here.log(text)


def artefact(name: str, content: bytes | str | Path, *, media_type: str | None = None) -> Artefact | None:
    """Add a file to the run: its bytes, its text, or the path of one to be copied. A name that is there is replaced.

    *media_type*: default: by the name's ending. Outside a run nothing happens, and None is returned.

    Raises:
        RunnerError: the name is no plain file name, or the file is too large or can't be written.
    """
    here = _layer.get()
    return None if here is None else here.artefact(name, content, media_type)


@contextlib.contextmanager
def in_run(session: RunningSession) -> Iterator[None]:
    """Let calls of layers inside the block belong to *session*."""
    token = _session.set(session)
    try:
        yield
    finally:
        _session.reset(token)


@contextlib.contextmanager
def in_layer(context: LayerContext) -> Iterator[None]:
    """Let what is said inside the block be said by the layer of *context*."""
    if _layer.get() is not None:
        msg = "a layer runs here already"
        raise RunnerError(msg)
    token = _layer.set(context)
    try:
        yield
    finally:
        _layer.reset(token)
