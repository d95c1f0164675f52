"""Where a call stands in a trace: ids that follow from what is known anyway, so that nobody has to hand them on.

A run is a trace, and each of its layers a span, whichever thread, process or machine the calls come from: their ids
are hashes of the run's and the layer's names. A call's and an attempt's follow from the call's id. Whoever brings
a W3C ``traceparent`` has the call in that trace, below that span.
"""

from __future__ import annotations

import functools
import hashlib
import re
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from switchgear.calls import Attribution

__all__ = [
    "attempt_span",
    "call_id_of",
    "call_span",
    "call_trace",
    "layer_span",
    "parsed",
    "place",
    "run_span",
    "run_trace",
    "running",
    "traceparent",
]

_DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES: Final = {digit: value for value, digit in enumerate(_DIGITS)}
_ULID: Final = 26
_MASK: Final = (1 << 64) - 1
_STEP: Final = 0x9E3779B97F4A7C15
"""An odd number: multiples of it, taken in 64 bits, differ for all attempts of a call."""

_HEADER: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")


@functools.lru_cache(maxsize=1024)
def run_trace(run: str) -> str:
    """Return the trace id of *run*."""
    return _hash("trace", run, size=16)


@functools.lru_cache(maxsize=1024)
def run_span(run: str) -> str:
    """Return the id of the span that is all of *run*: its trace's root."""
    return _hash("run", run, size=8)


@functools.lru_cache(maxsize=1024)
def layer_span(run: str, layer: str) -> str:
    """Return the id of the span that is *layer* of *run*."""
    return _hash("layer", run, layer, size=8)


def call_trace(call_id: str) -> str:
    """Return the trace id of a call that belongs to no run and no trace of its caller's: the call's own id."""
    number = _number(call_id)
    return _hash("call", call_id, size=16) if number is None else f"{number:032x}"


def call_id_of(trace_id: str) -> str | None:
    """Return the id of the call that is a trace of its own by the name of *trace_id*; None: it can't be one."""
    if not re.fullmatch("[0-9a-f]{32}", trace_id):
        return None
    number = int(trace_id, 16)
    return "".join(_DIGITS[number >> 5 * (_ULID - 1 - place) & 31] for place in range(_ULID))


def call_span(call_id: str) -> str:
    """Return the id of the span that is a call with all of its attempts."""
    return f"{_bits(call_id):016x}"


def attempt_span(call_id: str, attempt: int) -> str:
    """Return the id of the span that is *attempt*, from 1 on, of a call."""
    return f"{(_bits(call_id) + attempt * _STEP) & _MASK or 1:016x}"


def place(attribution: Attribution) -> tuple[str | None, str | None]:
    """Return trace id and parent span id of calls on behalf of *attribution*; None, None: it names no run."""
    run = attribution.run
    if run is None:
        return None, None
    layer = attribution.layer
    return run_trace(run), run_span(run) if layer is None else layer_span(run, layer)


def parsed(header: str | None) -> tuple[str | None, str | None]:
    """Return trace id and parent span id of a ``traceparent`` *header*; None, None: there is no valid one.

    Source: https://www.w3.org/TR/trace-context/
    """
    found = None if header is None else _HEADER.fullmatch(header.strip())
    return (None, None) if found is None else (found[1], found[2])


def traceparent(trace_id: str, span_id: str) -> str:
    """Return the header that puts what follows below the span *span_id*."""
    return f"00-{trace_id}-{span_id}-01"


def running() -> tuple[str | None, str | None]:
    """Return trace and span id of the OpenTelemetry span that is current here; None, None: there is none.

    OpenTelemetry is not imported for it: who uses it has done that.
    """
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None, None
    context = api.get_current_span().get_span_context()
    if not context.is_valid:
        return None, None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def _hash(kind: str, *names: str, size: int) -> str:
    text = "\0".join(names).encode()
    return hashlib.blake2b(text, digest_size=size, person=f"switchgear.{kind}".encode()[:16]).hexdigest()


def _number(call_id: str) -> int | None:
    """Return the number that the ULID *call_id* is; None: it is none."""
    if len(call_id) != _ULID or call_id[0] > "7":
        return None
    number = 0
    for digit in call_id:
        value = _VALUES.get(digit)
        if value is None:
            return None
        number = number << 5 | value
    return number or None


def _bits(call_id: str) -> int:
    number = _number(call_id)
    return int(_hash("span", call_id, size=8), 16) or 1 if number is None else number & _MASK or 1
