from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from typing import Any, Literal

import pytest

import switchgear as sg
from switchgear.standalone.grant import Denied, Grant
from switchgear.standalone.limiter import RateLimiter
from switchgear.testing import ManualClock


class InterruptedClock(ManualClock):
    """A clock whose sleepers are interrupted."""

    def sleep(self, seconds: float, wake: threading.Event | None = None) -> None:
        raise KeyboardInterrupt


@pytest.fixture
def clock() -> ManualClock:
    """Time that stands still."""
    return ManualClock(1_800_000_000.0)


@pytest.fixture
def make(clock: ManualClock) -> Callable[..., RateLimiter]:
    """Return a function that makes a limiter on the clock that stands still."""
    return lambda **settings: RateLimiter("api", **{"clock": clock, **settings})


def _granted(answer: Grant | Denied) -> Grant:
    assert isinstance(answer, Grant)
    return answer


def _denied(answer: Grant | Denied) -> Denied:
    assert isinstance(answer, Denied)
    return answer


def test_limiter_03_a_hundred_and_then_none_until_a_minute_has_passed(
    make: Callable[..., RateLimiter], clock: ManualClock
) -> None:
    """The window frees exactly when it has passed, and a refusal is false."""
    limiter = make(requests_per_minute=100)
    assert [bool(limiter.try_acquire()) for _ in range(101)] == [*[True] * 100, False]
    clock.advance(59.999)
    assert not limiter.try_acquire()
    clock.advance(0.001)
    assert [bool(limiter.try_acquire()) for _ in range(101)] == [*[True] * 100, False]


def test_limiter_07_more_than_the_limit_is_impossible_at_once(
    make: Callable[..., RateLimiter], clock: ManualClock
) -> None:
    """A call that will never fit is told so in every mode, without a wait and without a time to retry."""
    limiter = make(tokens_per_minute=10)
    assert limiter.try_acquire(10)
    for wait in (None, 0):
        with pytest.raises(sg.ImpossibleError, match="more than 10 tokens per minute will ever allow") as caught:
            limiter.acquire(11, max_wait=wait)
        assert (caught.value.retry_after, caught.value.retry_at, caught.value.limit) == (None, None, 10)
    denied = _denied(limiter.try_acquire(11))
    assert (denied.retry_after, denied.retry_at) == (None, None)
    assert limiter.check(11).retry_after is None
    assert clock.monotonic() == 1_800_000_000.0


@pytest.mark.parametrize("tokens", [-1, math.nan, True, 1.5, "5", None])
def test_limiter_08_a_weight_is_a_whole_number(make: Callable[..., RateLimiter], tokens: int) -> None:
    """Negative, NaN, bool, fraction and text are ValueErrors in every mode, and nothing is taken."""
    limiter = make(tokens_per_minute=10)
    uses: tuple[Callable[[int], object], ...] = (limiter.try_acquire, limiter.acquire, limiter.check)
    for use in uses:
        with pytest.raises(ValueError, match="tokens is a whole number from 0 on"):
            use(tokens)
    if tokens is not None:
        with pytest.raises(ValueError, match="tokens is a whole number from 0 on"):
            _granted(limiter.try_acquire(1)).settle(tokens)


def test_limiter_08_no_tokens_need_no_room(make: Callable[..., RateLimiter]) -> None:
    """A call without tokens passes limits on tokens that are used up."""
    limiter = make(tokens_per_minute=10)
    assert limiter.try_acquire(10)
    assert limiter.try_acquire(0)
    assert limiter.check(0)


def test_limiter_09_all_or_nothing(make: Callable[..., RateLimiter]) -> None:
    """What the day refuses is not taken from the minute."""
    limiter = make(requests_per_minute=10, requests_per_day=1)
    assert [bool(limiter.try_acquire()) for _ in range(10)] == [True, *[False] * 9]
    by_rule = {one.rule: one for one in limiter.stats().limits}
    assert by_rule["requests_per_minute"].remaining == 9
    assert by_rule["requests_per_day"].remaining == 0


def test_limiter_10_a_refusal_names_the_binding_limit(make: Callable[..., RateLimiter]) -> None:
    """With four limits the error has the rule that lasts longest, its numbers and when to retry."""
    limiter = make(requests_per_minute=2, requests_per_day=2, tokens_per_minute=100, tokens_per_day=1000)
    for _ in range(2):
        limiter.acquire(50)
    denied = _denied(limiter.try_acquire(50))
    assert (denied.rule, denied.retry_after, denied.retry_at) == ("requests_per_day", 86_400.0, 1_800_086_400.0)
    with pytest.raises(sg.RateLimited, match=r"2 of 2 requests per day used, room in 24\.0 h") as caught:
        limiter.acquire(50, max_wait="1h")
    assert (caught.value.service, caught.value.rule, caught.value.limit, caught.value.used) == (
        "api",
        "requests_per_day",
        2,
        2,
    )
    assert not isinstance(caught.value, sg.ImpossibleError)


def test_limiter_11_the_time_to_retry_is_exact(make: Callable[..., RateLimiter], clock: ManualClock) -> None:
    """A millisecond before it there is no room, at it there is."""
    limiter = make(tokens_per_minute=10)
    limiter.acquire(7)
    clock.advance(3.5)
    limiter.acquire(3)
    after = _denied(limiter.try_acquire(8)).retry_after
    assert after == 60.0
    clock.advance(after - 0.001)
    assert not limiter.try_acquire(8)
    clock.advance(0.001)
    assert limiter.try_acquire(8)


def test_limiter_16_a_wait_that_is_too_long_fails_at_once(make: Callable[..., RateLimiter], clock: ManualClock) -> None:
    """No time passes, nothing stays in the queue, and without patience free room is given all the same."""
    limiter = make(requests_per_minute=1, max_wait=59)
    assert limiter.acquire(max_wait=0).waited == 0
    for wait in (0.1, 0, None):
        with pytest.raises(sg.RateLimited):
            limiter.acquire(max_wait=wait)
    assert clock.monotonic() == 1_800_000_000.0
    assert limiter.stats().waiting == 0


def test_a_wait_within_patience_ends_when_there_is_room(make: Callable[..., RateLimiter], clock: ManualClock) -> None:
    """The caller blocks until its slot, and the grant says how long that was."""
    limiter = make(requests_per_minute=1)
    limiter.acquire()
    clock.advance(15)
    assert limiter.acquire().waited == 45.0
    assert clock.monotonic() == 1_800_000_060.0


def test_limiter_18_an_interrupted_waiter_leaves_the_queue() -> None:
    """KeyboardInterrupt during the wait passes through, and the place is given back."""
    clock = InterruptedClock(0)
    limiter = RateLimiter("api", requests_per_minute=1, clock=clock)
    limiter.acquire()
    with pytest.raises(KeyboardInterrupt):
        limiter.acquire()
    assert limiter.stats().waiting == 0
    clock.advance(60)
    assert limiter.try_acquire()


def test_limiter_20_a_full_limiter_holds_up_no_other(clock: ManualClock) -> None:
    """Another key is served while this one has none left, without any wait."""
    registry = sg.RateLimiterRegistry(requests_per_minute=1, clock=clock)
    registry.get_or_create("a").acquire()
    assert not registry.get_or_create("a").try_acquire()
    assert registry.get_or_create("b").acquire().waited == 0


def test_limiter_22_the_wall_clock_means_nothing(make: Callable[..., RateLimiter], clock: ManualClock) -> None:
    """An hour back or forth on the wall changes no window in process."""
    limiter = make(requests_per_minute=1)
    limiter.acquire()
    for wall in (1_799_996_400.0, 1_800_003_600.0):
        clock.set_wall(wall)
        denied = _denied(limiter.try_acquire())
        assert (denied.retry_after, denied.retry_at) == (60.0, wall + 60)
    clock.advance(60)
    assert limiter.try_acquire()


def test_limiter_23_a_jump_of_an_hour_gives_one_window_and_no_more(
    make: Callable[..., RateLimiter], clock: ManualClock
) -> None:
    """After a suspend at most the limit goes, however much time has passed."""
    limiter = make(requests_per_minute=5)
    for _ in range(5):
        limiter.acquire()
    clock.advance(3600)
    assert [bool(limiter.try_acquire()) for _ in range(6)] == [*[True] * 5, False]


def test_limiter_24_days_are_cut_in_the_time_zone_or_roll(clock: ManualClock) -> None:
    """With a time zone a day ends at its midnight; without, 24 hours after the call. Minutes roll always."""
    clock.advance(20 * 3600)  # 2027-01-16 04:00 UTC, 20:00 of the day before in Los Angeles
    there = RateLimiter("a", requests_per_minute=9, requests_per_day=1, timezone="America/Los_Angeles", clock=clock)
    rolling = RateLimiter("b", requests_per_day=1, clock=clock)
    there.acquire()
    rolling.acquire()
    assert _denied(there.try_acquire()).retry_after == 4 * 3600
    assert _denied(rolling.try_acquire()).retry_after == 24 * 3600
    clock.advance(4 * 3600)
    assert there.try_acquire()
    assert not rolling.try_acquire()


def test_limiter_25_settling_and_releasing(make: Callable[..., RateLimiter]) -> None:
    """The surplus is free at once, a debt is charged, the second word is void, a release returns all or keeps all."""
    limiter = make(tokens_per_minute=1000, concurrent=2)
    grant = _granted(limiter.try_acquire(1000))
    assert not limiter.try_acquire(1)
    grant.settle(400)
    grant.settle(0)
    grant.release()
    assert limiter.stats().limits[0].remaining == 600
    debtor = _granted(limiter.try_acquire(100))
    debtor.settle(700)
    assert limiter.stats().limits[0].used == 1100
    assert limiter.stats().limits[0].remaining == 0
    limiter.reset()
    _granted(limiter.try_acquire(300)).release()
    assert limiter.stats().limits[0].used == 0
    _granted(limiter.try_acquire(300)).release(keep=True)
    assert limiter.stats().limits[0].used == 300
    assert limiter.stats().in_flight == 0


def test_a_block_settles_itself(make: Callable[..., RateLimiter]) -> None:
    """At its end, or by an exception, the place in flight is free and the reservation is taken as used."""
    limiter = make(tokens_per_minute=1000, concurrent=1)
    with limiter.acquire(100) as grant:
        assert (grant.tokens, repr(grant)) == (100, "<Grant of 100 tokens>")
        assert not limiter.try_acquire()
    with pytest.raises(ZeroDivisionError), limiter.acquire(200):
        _ = 1 // 0
    with limiter.acquire(300) as grant:
        grant.settle(7)
    assert [one.used for one in limiter.stats().limits] == [307, 0]


@pytest.mark.parametrize(("on_expiry", "left"), [("charge", 300), ("return", 1000)])
def test_limiter_26_a_lost_grant_is_taken_back(
    make: Callable[..., RateLimiter], clock: ManualClock, on_expiry: Literal["charge", "return"], left: int
) -> None:
    """After its time to live the place is free; its units stay charged or come back, as the caller said."""
    limiter = make(tokens_per_minute=1000, concurrent=1)
    limiter.acquire(700, reservation_ttl="10s", on_expiry=on_expiry)
    clock.advance(9)
    assert not limiter.try_acquire()
    clock.advance(1)
    assert limiter.stats().limits[0].remaining == left
    assert limiter.try_acquire(left)


def test_limiter_28_headers_pause_and_restore(make: Callable[..., RateLimiter], clock: ManualClock) -> None:
    """A limiter that is shown the headers of answers keeps to them, and resumes at its own rate."""
    limiter = make(requests_per_minute=60, max_wait=30)
    limiter.observe({"Content-Type": "text/plain"})
    limiter.observe({"X-RateLimit-Remaining-Requests": "0", "X-RateLimit-Reset-Requests": "12s"})
    denied = _denied(limiter.try_acquire())
    assert (denied.rule, denied.retry_after) == ("provider_pause", 12.0)
    assert "the provider asks to wait, for 12.0 s" in denied.refusal.message
    assert [limiter.acquire().waited for _ in range(3)] == [12.0, 1.0, 1.0]
    limiter.observe({"Retry-After": "5"})
    assert limiter.acquire().waited == 5.0
    limiter.pause("2s")
    assert limiter.acquire().waited == 2.0


def test_limiter_29_limits_change_while_it_runs(make: Callable[..., RateLimiter]) -> None:
    """A lower limit refuses at once, a higher one admits at once, None lifts it; the rest stays as it was."""
    limiter = make(requests_per_minute=100, tokens_per_minute=1000)
    for _ in range(50):
        limiter.acquire(1)
    limiter.reconfigure(requests_per_minute=10)
    assert _denied(limiter.try_acquire()).rule == "requests_per_minute"
    assert limiter.stats().limits[0].used == 50
    limiter.reconfigure(requests_per_minute=51)
    assert limiter.try_acquire()
    assert not limiter.try_acquire()
    limiter.reconfigure(requests_per_minute=None)
    assert limiter.try_acquire(949)
    assert [one.rule for one in limiter.stats().limits] == ["tokens_per_minute"]
    with pytest.raises(TypeError, match="no limit is called 'request_per_minute'"):
        limiter.reconfigure(request_per_minute=1)
    with pytest.raises(ValueError, match="concurrent is a whole number from 1 on"):
        limiter.reconfigure(concurrent=0)


def test_limiter_05_the_guarantee_is_stated(make: Callable[..., RateLimiter]) -> None:
    """Each limit says what never happens, and by how much it errs on the strict side."""
    limiter = make(requests_per_minute=100, requests_per_day=1000, concurrent=3, timezone="Europe/Vienna")
    assert limiter.guarantee == (
        "Never more than 100 requests in any 60.0 s; a unit may come free up to 0.02 s late, never early. "
        "Never more than 1,000 requests on any calendar day in Europe/Vienna; exact. "
        "Never more than 3 calls in flight."
    )
    assert make().guarantee == "No limit is set."
    assert "28.8 s late" in make(tokens_per_day=5).guarantee
    assert repr(make(concurrent=2)) == "<RateLimiter 'api': Never more than 2 calls in flight.>"


def test_numbers_and_settings_are_plain(make: Callable[..., RateLimiter], clock: ManualClock) -> None:
    """What it has done and holds can be had typed and as JSON."""
    limiter = make(requests_per_minute=1, concurrent=1)
    limiter.acquire()
    clock.advance(20)
    assert not limiter.try_acquire()
    stats = limiter.stats()
    assert (stats.name, stats.admitted, stats.refused, stats.in_flight, stats.waiting) == ("api", 1, 1, 1, 0)
    assert [one.free_in for one in stats.limits] == [40.0, None]
    data = json.loads(json.dumps(limiter.to_dict()))
    assert data["limits"][0] == {
        "rule": "requests_per_minute",
        "unit": "requests",
        "limit": 1,
        "window": 60.0,
        "used": 1,
        "remaining": 0,
        "free_in": 40.0,
    }
    assert dict(limiter.settings) == {
        "requests_per_minute": 1,
        "requests_per_day": None,
        "tokens_per_minute": None,
        "tokens_per_day": None,
        "concurrent": 1,
        "max_wait": 60.0,
        "timezone": None,
    }
    limiter.reset()
    assert (limiter.stats().admitted, limiter.stats().refused) == (0, 0)


@pytest.mark.parametrize(
    "settings",
    [
        {"requests_per_minute": 0},
        {"requests_per_day": -1},
        {"tokens_per_minute": True},
        {"tokens_per_day": "5"},
        {"concurrent": math.nan},
        {"max_wait": -1},
        {"max_wait": "soon"},
        {"timezone": "Mars/Olympus"},
        {"timezone": 5},
        {"timezone": "../etc"},
        {"name": ""},
        {"name": None},
    ],
    ids=str,
)
def test_what_is_no_setting_is_a_value_error(settings: dict[str, Any]) -> None:
    """Zero, negative, bool, text and unknown zones are refused when the limiter is made."""
    with pytest.raises(ValueError, match=r"whole number|duration|time zone|name"):
        RateLimiter(**{"name": "api", **settings})


@pytest.mark.parametrize(
    "settings", [{"priority": True}, {"priority": 1.5}, {"max_wait": -1}, {"reservation_ttl": 0}, {"on_expiry": "lose"}]
)
def test_what_is_no_wish_is_a_value_error(make: Callable[..., RateLimiter], settings: dict[str, Any]) -> None:
    """Unusable arguments of acquire are refused, and nothing is taken."""
    limiter = make(requests_per_minute=1)
    with pytest.raises(ValueError, match=r"priority|max_wait|reservation_ttl|on_expiry"):
        limiter.acquire(**settings)
    assert limiter.stats().admitted == 0
