"""The exporting process: events in, spans and metrics out, counts back.

``python -m switchgear.telemetry.otlp.exporting``, started by *Outbox*: frames come on standard input, counts go to
standard output, a line of JSON each. It ends when its input does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.insight.exports import ExportCounts
from switchgear.telemetry.masking import Masking
from switchgear.telemetry.otlp.frames import Moments, Setup, frames
from switchgear.telemetry.otlp.metrics import GenAiMetrics
from switchgear.telemetry.otlp.outlet import Outlet
from switchgear.telemetry.otlp.sdk import SdkSender
from switchgear.telemetry.spans.content import Said
from switchgear.telemetry.spans.sampling import Sampler
from switchgear.telemetry.spans.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from switchgear.telemetry.spans.span import Span

__all__ = ["Exporting", "main"]

_ENDING: Final = 5.0
"""Seconds that the last spans get to leave."""

_NICE: Final = 10
"""Calls come first."""


class Exporting:
    """Spans of what it is told, to the destinations of *setup*."""

    def __init__(self, setup: Setup) -> None:
        said = Said(most=setup.content_bytes, masking=Masking(setup.redact))
        self._tree: Final = Tree(setup.services, idle_us=setup.idle, said=said)
        self._sampler: Final = Sampler(
            share=setup.sample, above=setup.sample_above, most=setup.queue, idle_us=2 * setup.idle
        )
        to = setup.destinations
        self._outlets: Final = [Outlet(one, SdkSender(one), most=setup.queue) for one in to if one.signal == "traces"]
        self._metrics: Final = [GenAiMetrics(one) for one in to if one.signal == "metrics"]
        for outlet in self._outlets:
            outlet.start()

    @property
    def counts(self) -> ExportCounts:
        """What became of it all."""
        return ExportCounts(
            left_out=self._sampler.left_out,
            destinations=(*(one.counts for one in self._outlets), *(one.counts for one in self._metrics)),
        )

    def adopt(self, setup: Setup) -> None:
        """Know the services of *setup*."""
        self._tree.services = setup.services

    def take(self, frame: Moments) -> None:
        """Export what *frame* completes."""
        for event in frame.events:
            self._pass(self._tree.take(event))
        self._pass(self._tree.tick(frame.at))
        self._sampler.tick(frame.at)

    def close(self) -> None:
        """Export what is under way as it stands, and end."""
        self._pass(self._tree.close())
        for outlet in self._outlets:
            outlet.close(_ENDING)
        for metrics in self._metrics:
            metrics.close(_ENDING)

    def _pass(self, spans: Iterable[Span]) -> None:
        made = tuple(spans)
        for metrics in self._metrics:
            for span in made:
                metrics.record(span)
        for span in self._sampler.take(made):
            for outlet in self._outlets:
                outlet.put(span)


def main(source: BinaryIO, answers: BinaryIO) -> None:
    """Export what comes from *source* until it ends; tell *answers* the counts when they have changed."""
    exporting: Exporting | None = None
    told = b""
    for frame in frames(source):
        if isinstance(frame, Setup):
            if exporting is None:
                exporting = Exporting(frame)
            else:
                exporting.adopt(frame)
        elif exporting is not None:
            exporting.take(frame)
        if exporting is not None:
            told = _tell(exporting, answers, told)
    if exporting is not None:
        exporting.close()
        _tell(exporting, answers, told)


def _tell(exporting: Exporting, answers: BinaryIO, told: bytes) -> bytes:
    line = msgspec.json.encode(exporting.counts) + b"\n"
    if line != told:
        with contextlib.suppress(BrokenPipeError):  # the gate has died; what it has told goes out all the same
            answers.write(line)
            answers.flush()
    return line


if __name__ == "__main__":
    # The signals of a terminal go to every process of its group; this one ends after the gate has.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICE)
    main(sys.stdin.buffer, sys.stdout.buffer)
