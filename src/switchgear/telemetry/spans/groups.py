"""Layers and runs as spans, from the calls that were made on their behalf."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.telemetry.spans.span import Span
from switchgear.telemetry.spans.words import usd
from switchgear.tracing import layer_span, run_span, run_trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.calls import Call
    from switchgear.events import CallSettled
    from switchgear.telemetry.spans.span import Attributes

__all__ = ["Groups"]


class _Group(msgspec.Struct, kw_only=True):
    trace_id: str
    parent: str | None
    run: str
    layer: str | None
    job: str | None
    start: int
    end: int
    attempts: int = 0
    failed: int = 0
    refused: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0
    unpriced: int = 0


class Groups:
    """The layers and runs under way, each a span from its first call to its last, by span id."""

    def __init__(self, *, idle_us: int, most: int) -> None:
        self._idle: Final = idle_us
        self._most: Final = most
        self._open: Final[OrderedDict[str, _Group]] = OrderedDict()
        self._early: Final[list[Span]] = []

    def add(self, call: Call, *, start: int, end: int, event: CallSettled | None) -> None:
        """Count an attempt of *call*, unless it is in its caller's own trace; *event* None: it was refused."""
        run, layer = call.attribution.run, call.attribution.layer
        if run is None or call.trace_id != run_trace(run):
            return
        self._count(run_span(run), call, None, start=start, end=end, event=event)
        if layer is not None:
            self._count(layer_span(run, layer), call, layer, start=start, end=end, event=event)

    def tick(self, now: int) -> Iterator[Span]:
        """Yield those without a call for a while, and those that had to end early; a layer comes before its run."""
        yield from self._early
        self._early.clear()
        over = [span_id for span_id, group in self._open.items() if now - group.end >= self._idle]
        over.sort(key=lambda span_id: self._open[span_id].layer is None)
        for span_id in over:
            yield _ended(span_id, self._open.pop(span_id))

    def close(self) -> Iterator[Span]:
        """Yield all of them."""
        yield from self._early
        self._early.clear()
        rest = sorted(self._open.items(), key=lambda item: item[1].layer is None)
        self._open.clear()
        for span_id, group in rest:
            yield _ended(span_id, group)

    def _count(
        self, span_id: str, call: Call, layer: str | None, *, start: int, end: int, event: CallSettled | None
    ) -> None:
        group = self._open.get(span_id)
        if group is None:
            if len(self._open) >= self._most:
                self._early.append(_ended(*self._open.popitem(last=False)))
            run = call.attribution.run or ""
            group = self._open[span_id] = _Group(
                trace_id=run_trace(run),
                parent=None if layer is None else run_span(run),
                run=run,
                layer=layer,
                job=call.attribution.job,
                start=start,
                end=end,
            )
        self._open.move_to_end(span_id)
        group.start, group.end = min(group.start, start), max(group.end, end)
        if event is None:
            group.refused += 1
            return
        group.attempts += 1
        group.failed += event.status == "failed"
        group.input_tokens += event.usage.input_tokens
        group.output_tokens += event.usage.output_tokens
        group.cost += event.cost or 0
        group.unpriced += event.cost is None


def _ended(span_id: str, group: _Group) -> Span:
    kind = "run" if group.layer is None else "layer"
    words: Attributes = {"switchgear.run": group.run}
    if group.layer is not None:
        words["switchgear.layer"] = group.layer
    if group.job is not None:
        words["switchgear.job"] = group.job
    for name in ("attempts", "failed", "refused", "input_tokens", "output_tokens", "unpriced"):
        words[f"switchgear.{kind}.{name}"] = getattr(group, name)
    words[f"switchgear.{kind}.cost_usd"] = usd(group.cost)
    return Span(
        kind="run" if group.layer is None else "layer",
        name=group.layer or group.run,
        trace_id=group.trace_id,
        span_id=span_id,
        parent=group.parent,
        start=group.start,
        end=group.end,
        attributes=words,
    )
