from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.telemetry.conftest import SECOND, START

from switchgear.telemetry.spans.sampling import Sampler
from switchgear.telemetry.spans.span import Span


def span(trace: int, *, cost: int = 0, error: str | None = None, root: bool = False, at: int = START) -> Span:
    """Return a span of the trace with this number."""
    return Span(
        kind="call" if root else "attempt",
        name="s",
        trace_id=f"{trace:032x}",
        span_id="1" * 16,
        parent=None if root else "2" * 16,
        start=at,
        end=at,
        attributes={},
        error=error,
        cost=cost,
    )


def sampler(share: float = 0.0, most: int = 100) -> Sampler:
    """Return a sampler that keeps traces of a dime."""
    return Sampler(share=share, above=100_000_000, most=most, idle_us=60 * SECOND)


def test_a_trace_with_an_error_is_kept_whole() -> None:
    """What came before the error goes out with it, and what comes after goes at once."""
    one = sampler()
    assert list(one.take([span(1), span(1)])) == []
    assert len(list(one.take([span(1, error="ConnectError")]))) == 3
    assert len(list(one.take([span(1), span(1, root=True)]))) == 2
    assert one.left_out == 0


def test_an_expensive_trace_is_kept_from_the_nano_on() -> None:
    """The sum of its attempts decides."""
    one = sampler()
    assert list(one.take([span(1, cost=60_000_000), span(2, cost=99_999_999, root=True)])) == []
    assert len(list(one.take([span(1, cost=40_000_000)]))) == 2
    assert one.left_out == 1


def test_a_dull_trace_is_let_go_when_it_is_over() -> None:
    """Its root says so, or silence."""
    one = sampler()
    assert list(one.take([span(1), span(1, root=True), span(2)])) == []
    assert one.left_out == 2
    one.tick(START + 60 * SECOND)
    assert one.left_out == 3


@given(st.lists(st.integers(0, 2**128 - 1), unique=True, max_size=200), st.floats(0, 1))
def test_the_share_goes_by_the_trace(traces: list[int], share: float) -> None:
    """Two processes decide alike, and nothing is lost: exported or left out."""
    one, other = sampler(share), sampler(share)
    first = [each.trace_id for each in one.take(span(trace, root=True) for trace in traces)]
    again = [each.trace_id for each in other.take(span(trace, root=True) for trace in traces)]

    assert first == again
    assert len(first) + one.left_out == len(traces)
    assert share < 1 or len(first) == len(traces)


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=200))
def test_what_is_held_is_bounded(some: list[tuple[int, bool]]) -> None:
    """However many traces never end, no more spans are held than allowed."""
    one = sampler(most=5)
    out = 0
    for trace, fails in some:
        out += len(list(one.take([span(trace, error="E" if fails else None)])))

    assert len(some) - out - one.left_out <= 5
