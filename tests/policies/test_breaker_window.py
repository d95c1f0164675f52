from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from switchgear.policies.breaker_window import CountWindow, TimeWindow

CALLS = st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.booleans()), max_size=60)


@given(calls=CALLS, size=st.integers(1, 12))
def test_a_window_of_calls_has_the_last_ones(calls: list[tuple[int, bool, bool]], size: int) -> None:
    """After every call the sums are those of the last *size* calls."""
    window = CountWindow(size)
    for count in range(1, len(calls) + 1):
        _, failed, slow = calls[count - 1]
        window.add(0, failed, slow)
        last = calls[max(0, count - size) : count]
        assert window.calls == len(last)
        assert window.failed == sum(one[1] for one in last)
        assert window.slow == sum(one[2] for one in last)


@given(calls=CALLS, window_us=st.sampled_from([7, 50, 400, 1000]))
def test_a_window_of_time_has_what_is_younger(calls: list[tuple[int, bool, bool]], window_us: int) -> None:
    """A call counts until the newest one of its cell is *window_us* old."""
    window = TimeWindow(window_us)
    cell_us = max(1, window_us // 200)
    now, all_calls = 0, []
    for step, failed, slow in calls:
        now += step
        all_calls.append((now, failed, slow))
        window.add(now, failed, slow)
        newest = {at // cell_us: at for at, _, _ in all_calls}
        live = [one for one in all_calls if newest[one[0] // cell_us] > now - window_us]
        assert window.calls == len(live)
        assert window.failed == sum(one[1] for one in live)
        assert window.slow == sum(one[2] for one in live)
    window.expire(now + window_us)
    assert (window.calls, window.failed, window.slow) == (0, 0, 0)


def test_a_window_of_time_is_small_whatever_the_traffic() -> None:
    """A hundred thousand calls are held in at most 201 cells."""
    window = TimeWindow(60_000_000)
    for at in range(0, 120_000_000, 1200):
        window.add(at, failed=False, slow=False)
    assert len(window._cells) <= 201  # noqa: SLF001 - the promise is about memory
    assert window.calls == 50_000


def test_a_call_that_ended_before_the_newest_counts_with_it() -> None:
    """Threads may report a little out of order."""
    window = TimeWindow(1000)
    window.add(500, failed=False, slow=False)
    window.add(497, failed=True, slow=False)
    window.expire(1499)
    assert (window.calls, window.failed) == (2, 1)


def test_a_lot_of_good_calls_is_counted_at_once() -> None:
    """A lot within one cell is counted; one that may go beyond is not. A window of calls takes what fits."""
    time = TimeWindow(2000)
    assert not time.add_good(3, 0)
    time.add(0, failed=False, slow=False)
    assert time.add_good(3, 9)
    assert not time.add_good(3, 10)
    time.expire(2008)
    assert time.calls == 4
    count = CountWindow(5)
    assert count.add_good(3, 0)
    assert count.add_good(3, 0)
    assert count.calls == 5
    count.add(0, failed=True, slow=True)
    assert count.add_good(4, 0)
    assert (count.failed, count.slow) == (1, 1)
    assert count.add_good(1, 0)
    assert (count.calls, count.failed, count.slow) == (5, 0, 0)


def test_clearing_forgets_everything() -> None:
    """Both windows are as new."""
    for window in (TimeWindow(1000), CountWindow(5)):
        window.add(1, failed=True, slow=True)
        window.clear()
        assert (window.calls, window.failed, window.slow) == (0, 0, 0)
