from __future__ import annotations

import threading
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from tests.telemetry.test_sampling import span

from switchgear.telemetry.otlp.destinations import Destination
from switchgear.telemetry.otlp.outlet import Outlet
from switchgear.telemetry.spans.span import Span

SOMEWHERE = Destination(name="otlp", signal="traces", url="http://user:pass@127.0.0.1:4318/v1/traces")


class Taker:
    """Takes batches, or does not."""

    def __init__(self, problem: str | None = None) -> None:
        self.problem = problem
        self.taken: list[Span] = []
        self.asked = threading.Event()

    def send(self, spans: Sequence[Span]) -> str | None:
        self.asked.set()
        if self.problem is None:
            self.taken += spans
        return self.problem

    def close(self) -> None:
        """Nothing is held."""


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 10))
def test_every_span_is_taken_dropped_or_waits(steps: list[bool], most: int) -> None:
    """Nothing is lost without being counted, and never do more wait than allowed; True puts one, False sends."""
    taker = Taker()
    outlet = Outlet(SOMEWHERE, taker, most=most)
    put = 0
    for puts in steps:
        if puts:
            outlet.put(span(put + 1))
            put += 1
        else:
            outlet.flush()
        counts = outlet.counts
        assert counts.waiting <= most
        assert counts.exported + counts.dropped + counts.waiting == put
    assert len(taker.taken) == outlet.counts.exported


def test_an_endpoint_that_is_down_costs_bounded_memory_and_says_so() -> None:
    """An hour's worth of spans: the queue stays full, what is more is dropped, and closing ends at once."""
    taker = Taker("Failed to export spans batch code: None, reason: Connection refused")
    outlet = Outlet(SOMEWHERE, taker, most=50)
    outlet.start()
    outlet.put(span(1))
    assert taker.asked.wait(10)
    for number in range(36_000):
        outlet.put(span(number))

    counts = outlet.counts
    assert counts.waiting == 50
    assert counts.dropped == 36_000 - 49
    outlet.close(10)
    counts = outlet.counts
    assert (counts.exported, counts.failed, counts.waiting) == (0, 50, 0)
    assert counts.problem == taker.problem
    assert "pass" not in counts.url
