from __future__ import annotations

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.clock import MICROS
from switchgear.drills.measures import most_within
from switchgear.drills.sandbox import Sandbox
from switchgear.drills.sandbox.quota import Quota


@given(st.integers(1, 5), st.integers(1, 3), st.lists(st.integers(0, 400_000), max_size=60))
def test_no_window_ever_holds_more_and_nobody_is_turned_away_in_vain(limit: int, seconds: int, gaps: list[int]) -> None:
    """What was let through keeps to the quota, and whoever comes back when told to is let through."""
    quota, now, taken = Quota(limit, seconds=seconds), 0, []
    for gap in gaps:
        now += gap
        wait = quota.take(now)
        if wait is None:
            taken.append(now)
        else:
            assert most_within(seconds * MICROS, [*taken, now]) > limit
            now += wait * MICROS
            assert quota.take(now) is None
            taken.append(now)

    assert most_within(seconds * MICROS, taken) <= limit


def test_the_sandbox_turns_away_beyond_its_quota_and_notes_when() -> None:
    """The third of two a minute gets 429 with the time to wait, and is in the book as refused."""
    quota = Quota(2, seconds=60)
    with Sandbox(quota=quota) as sandbox, httpx2.Client(base_url=sandbox.url, timeout=10) as client:
        answers = [client.get("/x") for _ in range(3)]
        arrivals = sandbox.arrivals

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 55 <= int(answers[2].headers["retry-after"]) <= 60
    assert list(arrivals) == sorted(arrivals)
    assert len(arrivals) == 3
    assert len(quota.refused) == 1


@pytest.mark.parametrize(("limit", "seconds"), [(0, 1), (1, 0)])
def test_a_quota_of_nothing_is_a_mistake(limit: int, seconds: int) -> None:
    """Neither no requests nor no time."""
    with pytest.raises(ValueError, match="whole numbers from 1"):
        Quota(limit, seconds=seconds)
