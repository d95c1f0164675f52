from __future__ import annotations

import pytest

from switchgear.policies.breaker import Breaker, BreakerRule, Change, Permit, Rejection

SECOND = 1_000_000


def _breaker(**settings: float) -> Breaker:
    defaults: dict[str, float] = {"failure_threshold": 3, "recovery_us": 30 * SECOND, "minimum_calls": 1000}
    return Breaker(BreakerRule(**{**defaults, **settings}))  # type: ignore[arg-type]  # ints and one float, by name


def _acquire(circuit: Breaker, now: int) -> Permit | Rejection:
    circuit.poll(now)
    return circuit.check(now) or circuit.take(now)


def _permit(circuit: Breaker, now: int) -> Permit:
    answer = _acquire(circuit, now)
    assert isinstance(answer, Permit)
    return answer


def _fail(circuit: Breaker, now: int, times: int = 1) -> Change | None:
    change = None
    for _ in range(times):
        change = circuit.record(_permit(circuit, now), "failure", now)
    return change


def _succeed(circuit: Breaker, now: int, times: int = 1) -> Change | None:
    change = None
    for _ in range(times):
        change = circuit.record(_permit(circuit, now), "success", now)
    return change


def opened(circuit: Breaker, now: int) -> int:
    """Open *circuit* at *now*; return when it lets a probe pass."""
    change = _fail(circuit, now, circuit.rule.failure_threshold)
    assert change is not None
    assert change.until is not None
    return change.until


def test_breaker_01_opens_on_failures_in_a_row() -> None:
    """The third failure in a row opens the circuit, and the next call is rejected."""
    circuit = _breaker()
    assert _fail(circuit, 0, 2) is None
    change = _fail(circuit, 0)
    assert change is not None
    assert (change.old, change.new) == ("closed", "open")
    assert "3 failures in a row" in change.reason
    assert isinstance(_acquire(circuit, 1), Rejection)


def test_breaker_02_a_success_breaks_the_row() -> None:
    """Failures in a row are counted anew after a success."""
    circuit = _breaker()
    _fail(circuit, 0, 2)
    _succeed(circuit, 0)
    _fail(circuit, 0, 2)
    assert circuit.state == "closed"
    assert circuit.failures == 2


def test_breaker_04_the_rate_needs_its_minimum_of_calls() -> None:
    """Nine failures of nine are no rate yet; the tenth call makes it one."""
    circuit = _breaker(failure_threshold=1000, minimum_calls=10, failure_rate=0.5)
    assert _fail(circuit, 0, 9) is None
    change = _fail(circuit, 0)
    assert change is not None
    assert "10 of 10 calls failed" in change.reason


def test_breaker_05_a_success_that_completes_the_minimum_is_judged() -> None:
    """The rate is looked at on every result, also on a success."""
    circuit = _breaker(failure_threshold=1000, minimum_calls=3, failure_rate=0.5)
    _fail(circuit, 0, 2)
    change = _succeed(circuit, 0)
    assert change is not None
    assert change.new == "open"


def test_breaker_07_old_failures_leave_the_window() -> None:
    """The rate is over the window, not over a lifetime."""
    circuit = _breaker(failure_threshold=1000, minimum_calls=6, failure_rate=0.9, window_us=10 * SECOND)
    _fail(circuit, 0, 5)
    later = 10_100_000
    _succeed(circuit, later)
    _fail(circuit, later, 5)
    assert circuit.state == "closed"
    assert circuit.counts(later)[:2] == (6, 5)


def test_breaker_09_open_until_the_recovery_time_is_over() -> None:
    """Rejected with the exact rest of the time; at its end one call is let through, half-open."""
    circuit = _breaker()
    until = opened(circuit, 0)
    assert until == 30 * SECOND
    rejection = _acquire(circuit, until - 1000)
    assert isinstance(rejection, Rejection)
    assert rejection.ready_at == until
    _permit(circuit, until)
    assert circuit.state == "half_open"


def test_breaker_10_reading_the_state_is_enough_to_go_half_open() -> None:
    """The change is reported once, by whoever looks first."""
    circuit = _breaker()
    until = opened(circuit, 0)
    change = circuit.poll(until)
    assert change is not None
    assert change.new == "half_open"
    assert circuit.poll(until) is None


def test_breaker_11_closing_starts_afresh() -> None:
    """After a good probe one failure does not open the circuit again."""
    circuit = _breaker()
    until = opened(circuit, 0)
    change = _succeed(circuit, until)
    assert change is not None
    assert change.new == "closed"
    _fail(circuit, until)
    assert circuit.state == "closed"
    assert circuit.counts(until)[:2] == (1, 1)


def test_breaker_12_a_failed_probe_opens_with_a_fresh_timer() -> None:
    """The next wait is counted from the failed probe, and the opening from the last closing."""
    circuit = _breaker()
    until = opened(circuit, 0)
    change = _fail(circuit, until + 5)
    assert change is not None
    assert change.until == until + 5 + 30 * SECOND
    assert change.opened_times == 2


def test_breaker_13_closing_can_ask_for_several_successes() -> None:
    """Two good probes of three are not enough, and a bad one opens again."""
    circuit = _breaker(success_threshold=3)
    until = opened(circuit, 0)
    _succeed(circuit, until, 2)
    assert circuit.state == "half_open"
    _fail(circuit, until)
    again = until + 30 * SECOND
    change = _succeed(circuit, again, 3)
    assert change is not None
    assert change.new == "closed"


@pytest.mark.parametrize(("asked", "waits"), [(42, 42), (10, 30), (999_999, 3600)])
def test_breaker_16_retry_after_of_the_service_is_honoured(asked: int, waits: int) -> None:
    """The circuit stays open for what the service asks for, at least its own time and at most the cap."""
    circuit = _breaker()
    _fail(circuit, 0, 2)
    change = circuit.record(_permit(circuit, 0), "failure", 0, asked * SECOND)
    assert change is not None
    assert change.until == waits * SECOND


def test_breaker_17_half_open_lets_its_number_of_probes_through() -> None:
    """With two probes allowed the third caller is rejected at once."""
    circuit = _breaker(probes=2)
    until = opened(circuit, 0)
    _permit(circuit, until)
    _permit(circuit, until)
    rejection = _acquire(circuit, until)
    assert isinstance(rejection, Rejection)
    assert rejection.ready_at is None
    assert "2 of 2" in rejection.reason


def test_breaker_21_a_late_success_does_not_close() -> None:
    """The result of a call that began before the opening changes nothing."""
    circuit = _breaker()
    early = _permit(circuit, 0)
    opened(circuit, 0)
    assert circuit.record(early, "success", 1) is None
    assert circuit.state == "open"


def test_breaker_22_a_late_failure_does_not_reopen_or_free_a_probe() -> None:
    """A call of an older generation is no probe, whatever has passed since."""
    circuit = _breaker()
    early = _permit(circuit, 0)
    until = opened(circuit, 0)
    probe = _permit(circuit, until)
    assert circuit.record(early, "failure", until) is None
    assert isinstance(_acquire(circuit, until), Rejection)
    circuit.record(probe, "success", until)
    assert circuit.record(early, "failure", until) is None
    assert circuit.failures == 0


def test_breaker_23_a_lost_probe_loses_its_lease() -> None:
    """A probe that never returns gives way to the next, and its late result is ignored."""
    circuit = _breaker(probe_lease_us=60 * SECOND)
    until = opened(circuit, 0)
    lost = _permit(circuit, until)
    assert isinstance(_acquire(circuit, until + 60 * SECOND - 1), Rejection)
    _permit(circuit, until + 60 * SECOND)
    assert circuit.record(lost, "failure", until + 61 * SECOND) is None
    assert circuit.state == "half_open"


def test_breaker_24_a_neutral_outcome_counts_nothing() -> None:
    """A cancelled call is neither failure nor success."""
    circuit = _breaker()
    _fail(circuit, 0, 2)
    assert circuit.record(_permit(circuit, 0), "neutral", 0) is None
    assert circuit.failures == 2
    assert circuit.counts(0)[:2] == (2, 2)


def test_breaker_25_a_cancelled_probe_gives_its_place_back() -> None:
    """After a neutral probe the circuit is still half-open and the next caller is the probe."""
    circuit = _breaker()
    until = opened(circuit, 0)
    circuit.record(_permit(circuit, until), "neutral", until)
    assert circuit.state == "half_open"
    _permit(circuit, until)


def test_a_result_counts_once() -> None:
    """A probe's second result is no result."""
    circuit = _breaker(success_threshold=2)
    until = opened(circuit, 0)
    probe = _permit(circuit, until)
    circuit.record(probe, "success", until)
    assert circuit.record(probe, "success", until) is None
    assert circuit.state == "half_open"


def test_an_open_circuit_is_remembered() -> None:
    """What was open when the last process ended is open until its time is over."""
    circuit = _breaker()
    circuit.remember(until=10 * SECOND, opened_times=2, reason="5 failures in a row")
    rejection = _acquire(circuit, 0)
    assert isinstance(rejection, Rejection)
    assert rejection.reason == "5 failures in a row"
    change = _fail(circuit, 10 * SECOND)
    assert change is not None
    assert change.opened_times == 3
