from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from switchgear.drills.measures import most_at_once, most_within, percentile

INSTANTS = st.lists(st.integers(0, 200), max_size=40)
SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)).map(lambda pair: (pair[0], sum(pair))), max_size=25)


@given(st.integers(1, 100), INSTANTS)
def test_the_fullest_window_is_the_one_that_counting_finds(window: int, instants: list[int]) -> None:
    """No half-open window, wherever it ends, holds more; and one holds as much."""
    counts = [sum(end - window < at <= end for at in instants) for end in range(201)]

    assert most_within(window, instants) == max(counts, default=0)


@given(st.integers(1, 100), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 9)), max_size=30))
def test_the_heaviest_window_is_the_one_that_adding_finds(window: int, pairs: list[tuple[int, int]]) -> None:
    """The same with weights."""
    sums = [sum(weight for at, weight in pairs if end - window < at <= end) for end in range(201)]

    assert most_within(window, (at for at, _ in pairs), (weight for _, weight in pairs)) == max(sums)


@given(SPANS)
def test_most_at_once_is_what_counting_finds(spans: list[tuple[int, int]]) -> None:
    """At no instant are more spans under way, and at one as many are; a span does not hold its own end."""
    alive = [span for span in spans if span[0] < span[1]]
    counts = [sum(begin <= at < end for begin, end in alive) for at in range(71)]

    assert most_at_once(alive) == max(counts)


def test_a_percentile_is_a_value_that_was_seen() -> None:
    """It is the smallest that the share does not exceed; of nothing there is none."""
    assert percentile([], 0.95) is None
    assert percentile([3.0], 0.95) == 3.0
    assert percentile([float(number) for number in range(1, 101)], 0.95) == 95.0
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.0
