from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from switchgear import CircuitBreaker, CircuitBreakerRegistry, ConfigError
from switchgear.clock import SystemClock
from switchgear.testing import ManualClock


@pytest.fixture
def _switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_a_name_has_one_breaker() -> None:
    """The same settings, in any notation, or none at all get the one that is there."""
    registry = CircuitBreakerRegistry()
    made = registry.get_or_create("svc", failure_threshold=3, recovery_timeout=30)
    assert registry.get_or_create("svc") is made
    assert registry.get_or_create("svc", recovery_timeout="30s", failure_threshold=3, clock=SystemClock()) is made
    assert registry.get("svc") is made
    assert registry.get("other") is None


def test_other_settings_are_a_conflict_that_names_both() -> None:
    """The message has what is in force and what was asked for; nothing is silently ignored."""
    registry = CircuitBreakerRegistry()
    registry.get_or_create("svc", failure_threshold=3, window="30s")
    with pytest.raises(ConfigError) as caught:
        registry.get_or_create("svc", failure_threshold=5, window=100)
    assert str(caught.value) == (
        "breaker 'svc' is registered with failure_threshold=3, window=30.0; "
        "it can't be had with failure_threshold=5, window=100 too"
    )
    with pytest.raises(ConfigError, match=r"window=30\.0; it can't be had with window=60\.0 too"):
        registry.get_or_create("svc", failure_threshold=3)


def test_bad_settings_register_nothing() -> None:
    """A value or a name of a setting that is wrong is an error of the call."""
    registry = CircuitBreakerRegistry()
    with pytest.raises(ValueError, match="probes is a whole number"):
        registry.get_or_create("svc", probes=0)
    with pytest.raises(TypeError, match="failure_treshold"):
        registry.get_or_create("svc", failure_treshold=3)
    assert registry.all() == {}


def test_known_names_have_their_presets() -> None:
    """As in the configuration file: what is not said comes from the preset of the name."""
    clock = ManualClock()
    registry = CircuitBreakerRegistry.with_presets(clock=clock)
    assert list(registry.all()) == ["anthropic", "firecrawl", "openai", "pdf_service"]
    assert registry.get_or_create("pdf_service").settings["recovery_timeout"] == 60
    assert registry.get_or_create("pdf_service", failure_threshold=3).settings["clock"] is clock
    assert CircuitBreakerRegistry().get_or_create("firecrawl", probes=2).settings["recovery_timeout"] == 300


def test_numbers_and_reset_of_all() -> None:
    """Every breaker's numbers by name, and all closed again."""
    registry = CircuitBreakerRegistry(failure_threshold=1)
    for name in ("b", "a"):
        registry.get_or_create(name).acquire().failure()
    assert [(name, stats.state) for name, stats in registry.stats().items()] == [("a", "open"), ("b", "open")]
    registry.reset_all()
    assert {stats.state for stats in registry.stats().values()} == {"closed"}


@pytest.mark.usefixtures("_switching")
def test_threads_that_come_at_once_get_the_same() -> None:
    """Of many makers one wins, and all have its breaker."""
    registry = CircuitBreakerRegistry()
    barrier = threading.Barrier(16)
    got: list[CircuitBreaker] = []

    def come() -> None:
        barrier.wait(10)
        got.append(registry.get_or_create("svc", probes=2))

    threads = [threading.Thread(target=come) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(got) == 16
    assert len(set(map(id, got))) == 1
