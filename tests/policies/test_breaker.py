from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from switchgear.policies.breaker import Breaker, BreakerRule, Change, Judgement, Permit, Rejection, RetryAfter

SECOND = 1_000_000


def _breaker(draw: Callable[[], float] = random.random, **settings: float | str) -> Breaker:
    defaults: dict[str, float | str] = {"failure_threshold": 3, "recovery_us": 30 * SECOND, "minimum_calls": 1000}
    rule = BreakerRule(**{**defaults, **settings})  # type: ignore[arg-type]  # each of its own type, by name
    return Breaker(rule, draw)


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


def test_breaker_03_the_rate_over_a_number_of_calls() -> None:
    """Of ten calls four failures are too few, and the fifth opens."""
    circuit = _breaker(failure_threshold=1000, window_calls=10, minimum_calls=10, failure_rate=0.5)
    _succeed(circuit, 0, 5)
    assert _fail(circuit, 0, 4) is None
    change = _fail(circuit, 0)
    assert change is not None
    assert change.new == "open"
    assert change.reason == "5 of 10 calls failed of the last 10 (threshold 50% from 10 calls)"


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


def test_breaker_06_old_failures_leave_a_window_of_calls() -> None:
    """Only the last four of eight calls count, two of which failed."""
    circuit = _breaker(failure_threshold=1000, window_calls=4, minimum_calls=4, failure_rate=0.75)
    _fail(circuit, 0, 2)
    _succeed(circuit, 0, 4)
    assert _fail(circuit, 0, 2) is None
    assert circuit.counts(0)[:2] == (4, 2)


def test_breaker_06_a_small_window_of_calls_limits_the_minimum() -> None:
    """A window of four calls is judged when it is full, though the minimum is ten."""
    circuit = _breaker(failure_threshold=1000, window_calls=4, minimum_calls=10, failure_rate=0.75)
    assert _fail(circuit, 0, 3) is None
    assert _fail(circuit, 0) is not None


def test_breaker_07_old_failures_leave_the_window() -> None:
    """The rate is over the window, not over a lifetime."""
    circuit = _breaker(failure_threshold=1000, minimum_calls=6, failure_rate=0.9, window_us=10 * SECOND)
    _fail(circuit, 0, 5)
    later = 10_100_000
    _succeed(circuit, later)
    _fail(circuit, later, 5)
    assert circuit.state == "closed"
    assert circuit.counts(later)[:2] == (6, 5)


def _took(circuit: Breaker, *seconds: float, verdict: Judgement = "success") -> Change | None:
    change = None
    for took in seconds:
        change = circuit.record(_permit(circuit, 0), verdict, 0, None, round(took * SECOND))
    return change


def test_breaker_08_slow_calls_open() -> None:
    """Half of four successes took too long."""
    circuit = _breaker(slow_us=SECOND, slow_rate=0.5, minimum_calls=4)
    assert _took(circuit, 1.5, 1.5, 0.1) is None
    assert circuit.slow_calls(0) == 2
    change = _took(circuit, 0.1)
    assert change is not None
    assert change.new == "open"
    assert change.reason == "2 of 4 calls were slow (over 1 s) within 60 s (threshold 50% from 4 calls)"


def test_breaker_08_a_call_of_just_the_time_is_not_slow() -> None:
    """Slow is what takes longer than the limit, in a window of calls too."""
    circuit = _breaker(slow_us=SECOND, slow_rate=1.0, minimum_calls=2, window_calls=3)
    assert _took(circuit, 1.0, 1.000001, 1.000001) is None
    assert _took(circuit, 1.000001) is not None


def test_breaker_08_a_slow_trial_call_opens_again() -> None:
    """A service that answers too slowly is not well."""
    circuit = _breaker(slow_us=SECOND)
    until = opened(circuit, 0)
    change = circuit.record(_permit(circuit, until), "success", until + 2 * SECOND, None, 2 * SECOND)
    assert change is not None
    assert (change.new, change.reason) == ("open", "a trial call was slow")


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


def _openings(circuit: Breaker, times: int) -> list[int]:
    """Return for how long *circuit* stayed open, opened *times* times in a row."""
    now, waits = 0, []
    for _ in range(times):
        change = _fail(circuit, now, circuit.rule.failure_threshold if circuit.state == "closed" else 1)
        assert change is not None
        assert change.until is not None
        waits.append(change.until - now)
        now = change.until
    return waits


def test_breaker_14_each_opening_lasts_longer_up_to_the_cap() -> None:
    """One, two, four, eight, eight seconds; after a close it is one again."""
    circuit = _breaker(recovery_us=SECOND, backoff=2.0, max_recovery_us=8 * SECOND)
    assert _openings(circuit, 5) == [SECOND, 2 * SECOND, 4 * SECOND, 8 * SECOND, 8 * SECOND]
    _succeed(circuit, circuit.until)
    assert circuit.state == "closed"
    assert _openings(circuit, 1) == [SECOND]


def test_breaker_14_the_backoff_never_overflows() -> None:
    """After thousands of openings the cap still holds."""
    circuit = _breaker(backoff=10.0)
    circuit.remember(until=0, opened_times=100_000, reason="long ago")
    assert _openings(circuit, 1) == [3600 * SECOND]


def test_breaker_15_jitter_spreads_within_its_share_and_is_reproducible() -> None:
    """A thousand openings vary by a fifth to either side, the same ones again for the same seed."""
    waits = [
        _openings(_breaker(random.Random(7).random, jitter=0.2, max_recovery_us=60 * SECOND), 1000) for _ in range(2)
    ]
    assert waits[0] == waits[1]
    assert min(waits[0]) >= 24 * SECOND
    assert max(waits[0]) <= 36 * SECOND
    assert max(waits[0]) - min(waits[0]) > 9 * SECOND


def test_breaker_15_jitter_does_not_pass_the_cap() -> None:
    """An opening never lasts longer than the longest."""
    circuit = _breaker(lambda: 1.0, jitter=0.5, max_recovery_us=31 * SECOND)
    assert _openings(circuit, 1) == [31 * SECOND]


@pytest.mark.parametrize(("asked", "waits"), [(42, 42), (10, 30), (999_999, 3600)])
def test_breaker_16_retry_after_of_the_service_is_honoured(asked: int, waits: int) -> None:
    """The circuit stays open for what the service asks for, at least its own time and at most the cap."""
    circuit = _breaker()
    _fail(circuit, 0, 2)
    change = circuit.record(_permit(circuit, 0), "failure", 0, asked * SECOND)
    assert change is not None
    assert change.until == waits * SECOND


@pytest.mark.parametrize("verdict", ["failure", "throttled"])
def test_breaker_16_honouring_opens_at_once(verdict: Judgement) -> None:
    """One result with a Retry-After is enough to leave the service alone, closed or half-open."""
    circuit = _breaker(retry_after="honor")
    change = circuit.record(_permit(circuit, 0), verdict, 0, 42 * SECOND)
    assert change is not None
    assert (change.new, change.until, change.opened_times) == ("open", 42 * SECOND, 1)
    assert "asked to be left alone for 42 s" in change.reason
    again = circuit.record(_permit(circuit, 42 * SECOND), verdict, 42 * SECOND, 50 * SECOND)
    assert again is not None
    assert (again.old, again.until) == ("half_open", 92 * SECOND)


def test_breaker_16_throttled_waits_for_what_was_asked_and_a_failure_at_least_its_own_time() -> None:
    """A second asked for is a second for a service that is well, and the whole recovery time for one that failed."""
    throttled, failed = _breaker(retry_after="honor"), _breaker(retry_after="honor")
    throttled.record(_permit(throttled, 0), "throttled", 0, SECOND)
    failed.record(_permit(failed, 0), "failure", 0, SECOND)
    assert (throttled.until, failed.until) == (SECOND, 30 * SECOND)


@pytest.mark.parametrize(
    ("policy", "asked"),
    [("honor", 0), ("honor", -5), ("honor", None), ("extend", 42 * SECOND), ("ignore", 42 * SECOND)],
)
@pytest.mark.parametrize("verdict", ["failure", "throttled"])
def test_breaker_16_nothing_asked_opens_nothing(policy: RetryAfter, asked: int | None, verdict: Judgement) -> None:
    """Without a usable Retry-After, or under another policy, one result does not open; throttled counts nothing."""
    circuit = _breaker(retry_after=policy)
    assert circuit.record(_permit(circuit, 0), verdict, 0, asked) is None
    assert circuit.failures == (verdict == "failure")


def test_breaker_16_ignored_lengthens_nothing() -> None:
    """Under *ignore* an opening lasts its own time."""
    circuit = _breaker(retry_after="ignore")
    _fail(circuit, 0, 2)
    circuit.record(_permit(circuit, 0), "failure", 0, 42 * SECOND)
    assert circuit.until == 30 * SECOND


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


def test_breaker_23_probes_of_an_earlier_trial_hold_no_place() -> None:
    """When one of two probes fails and the time has passed, both places are free, whatever the other does."""
    circuit = _breaker(probes=2, probe_lease_us=600 * SECOND)
    until = opened(circuit, 0)
    first, other = _permit(circuit, until), _permit(circuit, until)
    circuit.record(first, "failure", until)
    again = circuit.until
    _permit(circuit, again)
    _permit(circuit, again)
    assert circuit.record(other, "failure", again) is None
    assert circuit.counts(again)[2] == 2


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


COMMANDS: dict[str, Callable[[Breaker], Change | None]] = {
    "forced_open": Breaker.force_open,
    "disabled": Breaker.disable,
    "metrics_only": Breaker.only_measure,
    "closed": Breaker.force_closed,
}
REACHED: dict[str, Callable[[Breaker], object]] = {
    "closed": lambda circuit: None,
    "open": lambda circuit: opened(circuit, 0),
    "half_open": lambda circuit: circuit.poll(opened(circuit, 0)),
    **{name: command for name, command in COMMANDS.items() if name != "closed"},
}


@pytest.mark.parametrize("start", REACHED)
@pytest.mark.parametrize("mode", COMMANDS)
def test_breaker_37_each_mode_is_reachable_from_every_state(start: str, mode: str) -> None:
    """A command changes the state once, starts a new generation, and forgets what was counted."""
    circuit = _breaker()
    early = _permit(circuit, 0)
    REACHED[start](circuit)
    assert circuit.state == start
    change = COMMANDS[mode](circuit)
    assert (change is None) == (start == mode)
    assert circuit.state == mode
    assert COMMANDS[mode](circuit) is None
    assert circuit.record(early, "failure", 0) is None or start == mode == "metrics_only"
    assert circuit.counts(0) == (0, 0, 0)
    assert circuit.failures == 0


def test_breaker_37_forced_open_rejects_until_it_is_reset() -> None:
    """No time ends it, and nobody knows when it will."""
    circuit = _breaker()
    circuit.force_open()
    rejection = _acquire(circuit, 10**15)
    assert isinstance(rejection, Rejection)
    assert (rejection.ready_at, rejection.reason) == (None, "forced open by hand")
    assert circuit.rejected == 1
    change = circuit.reset()
    assert change is not None
    assert (change.old, change.new) == ("forced_open", "closed")
    assert circuit.rejected == 0
    _permit(circuit, 0)


def test_breaker_37_disabled_records_nothing() -> None:
    """Every call passes, and none is counted."""
    circuit = _breaker()
    circuit.disable()
    assert _fail(circuit, 0, 100) is None
    assert circuit.counts(0) == (0, 0, 0)


def test_breaker_37_metrics_only_tells_once_that_it_would_open() -> None:
    """Every call passes and is counted; an opening that would have been is told once, and again after it had passed."""
    circuit = _breaker(retry_after="honor")
    circuit.only_measure()
    assert _fail(circuit, 0, 2) is None
    change = _fail(circuit, 0)
    assert change is not None
    assert (change.old, change.new) == ("metrics_only", "metrics_only")
    assert change.reason == "would open: 3 failures in a row (threshold 3)"
    assert _fail(circuit, 0, 5) is None
    assert circuit.counts(0)[:2] == (8, 8)
    assert circuit.record(_permit(circuit, 0), "throttled", 0, SECOND) is None
    assert _succeed(circuit, 0) is None
    assert _fail(circuit, 0, 3) is not None
    circuit.reset()
    circuit.only_measure()
    assert _fail(circuit, 0, 3) is not None


def test_breaker_37_a_reset_of_a_closed_circuit_forgets() -> None:
    """Nothing changes for anybody to be told, but the failures so far are gone and those under way say nothing."""
    circuit = _breaker()
    early = _permit(circuit, 0)
    _fail(circuit, 0, 2)
    assert circuit.reset() is None
    circuit.record(early, "failure", 0)
    assert circuit.failures == 0


def test_successes_are_taken_in_by_the_lot_while_nothing_speaks_against_the_service() -> None:
    """A lot counts as its calls would one by one, and is sent back when it makes a difference when each ended."""
    circuit = _breaker(window_us=200 * SECOND)
    permit = _permit(circuit, 0)
    assert not circuit.record_good(permit, 3, 10)
    circuit.record(permit, "success", 10)
    assert circuit.record_good(permit, 3, 20)
    assert circuit.counts(20)[:2] == (4, 0)
    _fail(circuit, 20)
    assert circuit.record_good(permit, 3, 20)
    assert circuit.failures == 0
    circuit.reset()
    assert not circuit.record_good(permit, 3, 20)
    circuit.only_measure()
    assert not circuit.calm


@pytest.mark.parametrize(("failed", "slow", "calm"), [(4, 0, True), (5, 0, False), (0, 7, True), (0, 8, False)])
def test_a_circuit_is_calm_while_no_success_can_open_it(failed: int, slow: int, calm: bool) -> None:  # noqa: FBT001 - a table
    """Half of the minimum of ten calls failed, or four fifths were slow: the success that completes it would open."""
    circuit = _breaker(failure_threshold=1000, minimum_calls=10, slow_us=SECOND)
    _fail(circuit, 0, failed)
    _took(circuit, *[2.0] * slow)
    assert circuit.calm is calm


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
