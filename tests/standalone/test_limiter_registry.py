from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

import switchgear as sg
from switchgear.testing import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    """Time that stands still."""
    return ManualClock(0)


@pytest.fixture
def registry(clock: ManualClock) -> sg.RateLimiterRegistry:
    """A registry of limiters of 2 requests a minute."""
    return sg.RateLimiterRegistry(requests_per_minute=2, clock=clock)


def test_one_name_is_one_limiter(registry: sg.RateLimiterRegistry) -> None:
    """Whoever asks for a name gets the same limiter, with or without the settings in force."""
    limiter = registry.get_or_create("a", concurrent=3)
    assert registry.get_or_create("a") is limiter
    assert registry.get_or_create("a", concurrent=3, max_wait="1m") is limiter
    assert registry.get("a") is limiter
    assert registry.get("b") is None
    with pytest.raises(sg.ConfigError, match="limiter 'a' is registered with concurrent=3"):
        registry.get_or_create("a", concurrent=4)


def test_limiter_27_one_shot_keys_are_gone_a_window_later(registry: sg.RateLimiterRegistry, clock: ManualClock) -> None:
    """Names that were used once leave nothing behind, and none is dropped before its time, however many there are."""
    for number in range(3000):
        assert registry.get_or_create(f"user-{number}").try_acquire()
    last = weakref.ref(registry.get_or_create("user-2999"))
    clock.advance(59.9)
    assert registry.sweep() == 3000
    clock.advance(0.1)
    for number in range(500):  # as new names come, old ones go
        registry.get_or_create(f"new-{number}").acquire()
    assert len(registry._members) < 2500  # noqa: SLF001 - what it keeps
    assert registry.sweep() == 500
    gc.collect()
    assert last() is None
    assert registry.get("user-2999") is None


def test_a_place_in_flight_keeps_its_limiter(registry: sg.RateLimiterRegistry, clock: ManualClock) -> None:
    """A cap on calls in flight has something to remember until the last of them is settled."""
    grant = registry.get_or_create("a", concurrent=1).acquire()
    clock.advance(3600)
    assert registry.sweep() == 1
    registry.reset_all()
    assert registry.stats()["a"].in_flight == 1
    grant.settle()
    assert registry.sweep() == 0


def test_a_limiter_that_is_held_stays_the_one_of_its_name(registry: sg.RateLimiterRegistry, clock: ManualClock) -> None:
    """Let go while your code holds it, it is found by its name, and is kept again from its next call on."""
    limiter = registry.get_or_create("a")
    assert registry.sweep() == 0
    assert registry.get("a") is limiter
    assert registry.sweep() == 0
    limiter.acquire().settle()
    assert registry.sweep() == 1
    held = weakref.ref(limiter)
    del limiter
    gc.collect()
    assert held() is registry.get("a")
    assert registry.get_or_create("a").stats().limits[0].used == 1
    clock.advance(60)
    assert registry.all() == {}
    gc.collect()
    assert held() is None


def test_a_limiter_found_again_and_used_is_registered_once(registry: sg.RateLimiterRegistry) -> None:
    """Being found by name and being used both bring it back, and it stays one."""
    limiter = registry.get_or_create("a")
    registry.sweep()
    assert registry.get_or_create("a") is limiter
    limiter.acquire()
    assert list(registry.all()) == ["a"]
    assert registry.sweep() == 1


def test_threads_that_race_for_a_name_get_one_limiter(registry: sg.RateLimiterRegistry) -> None:
    """However many ask for a new name at once, they share its limit."""
    barrier = threading.Barrier(8)

    def one() -> bool:
        barrier.wait()
        return bool(registry.get_or_create("a").try_acquire())

    with ThreadPoolExecutor(8) as pool:
        assert sum(future.result() for future in [pool.submit(one) for _ in range(8)]) == 2
