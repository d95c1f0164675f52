"""Which traces are exported: a share of all, and every one with an error, a refusal or a cost above a bound."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.telemetry.spans.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


__all__ = ["Sampler"]

_WHOLE: Final = 1 << 56
_DIGITS: Final = 14


class _Held(msgspec.Struct, kw_only=True):
    spans: list[Span]
    cost: int = 0
    last: int = 0


class Sampler:
    """Decides trace by trace. Who is not of the share is held until it is known to be dull.

    The share goes by the trace's id, so every process decides alike.

    Args:
        share: of all traces, from 0 to 1.
        above: nano-USD; a trace that costs so much is kept.
        most: spans that are held, at most; beyond that the trace that was first is let go.
        idle_us: a trace of which nothing came for so long is over.
    """

    def __init__(self, *, share: float, above: int, most: int, idle_us: int) -> None:
        self._bound: Final = round(share * _WHOLE)
        self._above: Final = above
        self._most: Final = most
        self._idle: Final = idle_us
        self._held: Final[OrderedDict[str, _Held]] = OrderedDict()
        self._kept: Final[OrderedDict[str, None]] = OrderedDict()
        self._count = 0
        self.left_out = 0

    def take(self, spans: Iterable[Span]) -> Iterator[Span]:
        """Yield those that are to be exported now."""
        for span in spans:
            if int(span.trace_id[-_DIGITS:], 16) < self._bound or span.trace_id in self._kept:
                yield span
            else:
                yield from self._weigh(span)

    def tick(self, now: int) -> None:
        """Let go of traces that are over at epoch microsecond *now*."""
        for trace_id in [trace_id for trace_id, held in self._held.items() if now - held.last >= self._idle]:
            self._let_go(trace_id)

    def _weigh(self, span: Span) -> Iterator[Span]:
        held = self._held.setdefault(span.trace_id, _Held(spans=[]))
        held.spans.append(span)
        held.cost += span.cost or 0
        held.last = max(held.last, span.end)
        self._count += 1
        if span.error is not None or held.cost >= self._above:
            self._held.pop(span.trace_id)
            self._count -= len(held.spans)
            self._keep(span.trace_id)
            yield from held.spans
        elif span.parent is None:
            self._let_go(span.trace_id)
        while self._count > self._most:
            self._let_go(next(iter(self._held)))

    def _keep(self, trace_id: str) -> None:
        self._kept[trace_id] = None
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def _let_go(self, trace_id: str) -> None:
        gone = len(self._held.pop(trace_id).spans)
        self._count -= gone
        self.left_out += gone
