"""Faults on demand: what they are, how they are written, and the queue of those that wait for a request."""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass
from typing import Final

from switchgear.config.units import parse_duration

__all__ = ["Fault", "FaultQueue"]

_NOT_NEGATIVE: Final = frozenset({"hang", "cut", "error_event", "cached", "cache_write", "reasoning", "output"})
_DURATIONS: Final = frozenset({"latency", "chunk_delay"})
_FLAGS: Final = frozenset({"reset", "malformed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong, or otherwise than by default, with one answer; the default is no fault at all.

    It is written as ``status=503;retry_after=2;latency=250ms``. A *chunk* is one event of a stream, or
    32 bytes of a body.

    Attributes:
        status: answer with this status and an error in the provider's shape.
        retry_after: value of a ``Retry-After`` header, as it is written.
        latency: microseconds before the answer begins (written as a duration).
        hang: stop answering after so many chunks, until the client goes; ``hang`` alone: answer nothing.
        reset: reset the connection (RST) before an answer.
        cut: close the connection after so many chunks, the answer unfinished.
        malformed: a body, or the second event of a stream, is half a JSON document.
        chunk_delay: microseconds before every chunk but the first (written as a duration).
        error_event: after so many events (``error_event`` alone: 2) an error event ends the stream.
        cached: so many of the input tokens are read from a cache.
        cache_write: so many of the other input tokens are written to a cache.
        reasoning: so many of the output tokens are reasoning and have no text.
        output: output tokens that the model would produce if it had no bound.
        dated_model: the model that the answer names; ``dated_model`` alone: the one asked, with a date.
        usage: False (written ``usage=none``): the answer says nothing about usage.
    """

    status: int | None = None
    retry_after: str | None = None
    latency: int = 0
    hang: int | None = None
    reset: bool = False
    cut: int | None = None
    malformed: bool = False
    chunk_delay: int = 0
    error_event: int | None = None
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    output: int = 16
    dated_model: str | None = None
    usage: bool = True

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read ``name=value;name=value``; a flag is a name alone.

        Raises:
            ValueError: a name that isn't known, or a value that its name can't have.
        """
        settings: dict[str, object] = {}
        for part in filter(None, (part.strip() for part in text.split(";"))):
            name, _, value = part.partition("=")
            settings[name.strip()] = _value(name.strip(), value.strip())
        return cls(**settings)  # type: ignore[arg-type]  # _value gives each name its own type

    @property
    def piecewise(self) -> bool:
        """Whether a body has to be sent in chunks for this fault to show."""
        return self.cut is not None or self.hang is not None or self.chunk_delay > 0


def _value(name: str, value: str) -> object:
    if name not in Fault.__dataclass_fields__:
        known = ", ".join(sorted(Fault.__dataclass_fields__))
        msg = f"unknown fault {name!r}; known: {known}"
        raise ValueError(msg)
    if name in _DURATIONS:
        return parse_duration(value)
    if name in _FLAGS:
        return _flag(name, value)
    if name in _NOT_NEGATIVE:
        bare = {"hang": "0", "error_event": "2"}.get(name, "")
        return _whole(name, value or bare, least=0)
    if name == "status":
        return _whole(name, value, least=100)
    if name == "usage":
        if value != "none":
            msg = f"usage can only be none, not {value!r}"
            raise ValueError(msg)
        return False
    return value


def _flag(name: str, value: str) -> bool:
    if value:
        msg = f"{name} takes no value, not {value!r}"
        raise ValueError(msg)
    return True


def _whole(name: str, value: str, *, least: int) -> int:
    if not value.isdecimal() or int(value) < least:
        msg = f"{name} needs a whole number from {least}, not {value!r}"
        raise ValueError(msg)
    return int(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    fault: Fault
    times: int | None
    path: str | None


class FaultQueue:
    """Faults that wait for the requests they are meant for, first come, first served. Thread-safe."""

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._waiting: list[_Waiting] = []

    def add(self, text: str, *, times: int | None = None, path: str | None = None) -> None:
        """Let the next *times* requests (None: all, until cleared) to *path* (None: any) have this fault.

        Raises:
            ValueError: *text* is no fault, or *times* is less than 1.
        """
        if times is not None and times < 1:
            msg = f"times needs a whole number from 1, not {times}"
            raise ValueError(msg)
        waiting = _Waiting(fault=Fault.parse(text), times=times, path=path)
        with self._lock:
            self._waiting.append(waiting)

    def take(self, path: str) -> Fault | None:
        """Return the fault that a request to *path* must have, and count it as used once."""
        with self._lock:
            for index, waiting in enumerate(self._waiting):
                if waiting.path not in {None, path}:
                    continue
                if waiting.times == 1:
                    del self._waiting[index]
                elif waiting.times is not None:
                    self._waiting[index] = dataclasses.replace(waiting, times=waiting.times - 1)
                return waiting.fault
        return None

    def clear(self) -> None:
        """Forget every fault that waits."""
        with self._lock:
            self._waiting.clear()
