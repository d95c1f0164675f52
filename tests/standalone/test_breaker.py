from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import gc
import inspect
import json
import logging
import threading
import tracemalloc
from collections.abc import Callable
from types import SimpleNamespace

import pytest

import switchgear as sg
from switchgear import BreakerOpen, CircuitBreaker, CircuitState
from switchgear.calls import Refusal
from switchgear.errors import RateLimited
from switchgear.events import BreakerChanged
from switchgear.standalone.breaker import Permit
from switchgear.testing import ManualClock


class Down(Exception):
    pass


class Mine(Exception):
    pass


@pytest.fixture
def clock() -> ManualClock:
    """Time that stands at 1000 seconds."""
    return ManualClock(1000.0)


def make(clock: ManualClock, **settings: object) -> CircuitBreaker:
    """Return a breaker that opens on three failures in a row, for 30 seconds."""
    defaults: dict[str, object] = {"failure_threshold": 3, "recovery_timeout": 30, "minimum_calls": 1000}
    return CircuitBreaker("svc", clock=clock, **{**defaults, **settings})  # type: ignore[arg-type]  # by name


def ok() -> str:
    """Succeed."""
    return "ok"


def fail(breaker: CircuitBreaker, times: int = 1, error: BaseException | None = None) -> None:
    """Let *times* calls fail, with *error* or another one."""

    def call() -> None:
        raise error or Down

    for _ in range(times):
        with pytest.raises(Down if error is None else type(error)):
            breaker.call(call)


def test_breaker_01_the_caller_sees_its_own_exception_and_the_fourth_call_does_not_run(clock: ManualClock) -> None:
    """The third failure opens; the next call is rejected before the function is called."""
    breaker = make(clock)
    fail(breaker, 3)
    assert breaker.state is CircuitState.OPEN
    ran: list[int] = []
    with pytest.raises(BreakerOpen, match=r"the circuit of svc is open: 3 failures in a row \(threshold 3\); next"):
        breaker.call(ran.append, 1)
    assert ran == []


def test_breaker_02_a_success_breaks_the_row(clock: ManualClock) -> None:
    """Failures in a row are counted anew after a success."""
    breaker = make(clock)
    fail(breaker, 2)
    breaker.call(ok)
    fail(breaker, 2)
    assert breaker.state == "closed"
    assert breaker.stats().failures == 2


def test_breaker_03_and_05_successes_that_nobody_was_told_of_count(clock: ManualClock) -> None:
    """Successes are noted without the lock and all the same in time for the rate."""
    breaker = make(clock, failure_threshold=100, minimum_calls=10, failure_rate=0.5, window=10)
    for _ in range(5):
        breaker.call(ok)
    fail(breaker, 4)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"


def test_breaker_05_a_success_that_completes_the_minimum_opens_at_once(clock: ManualClock) -> None:
    """The event comes with the success, and the very next call is rejected."""
    breaker = make(clock, minimum_calls=3, failure_rate=0.5)
    seen: list[BreakerChanged] = []
    breaker.subscribe(seen.append)
    fail(breaker, 2)
    assert breaker.call(ok) == "ok"
    assert [event.new for event in seen] == ["open"]
    with pytest.raises(BreakerOpen):
        breaker.call(ok)


def test_breaker_07_successes_leave_a_window_of_time_at_their_own_time(clock: ManualClock) -> None:
    """What is told late is told with the time at which it happened."""
    breaker = make(clock, failure_threshold=100, window=dt.timedelta(seconds=10))
    breaker.call(ok)
    clock.advance(6)
    breaker.call(ok)
    clock.advance(4.1)
    fail(breaker)
    stats = breaker.stats()
    assert (stats.calls, stats.failed, stats.failure_rate) == (2, 1, 0.5)


def test_breaker_08_slow_calls_open(clock: ManualClock) -> None:
    """Half of four successes took more than a second."""
    breaker = make(clock, slow_call=1, slow_rate=0.5, minimum_calls=4)
    for took in (1.5, 1.5, 0.1, 0.1):
        assert breaker.state == "closed"
        breaker.call(clock.advance, took)
    assert breaker.state == "open"
    stats = breaker.stats()
    assert (stats.slow, stats.slow_rate) == (2, 0.5)
    assert "slow" in (stats.reason or "")


def test_breaker_09_rejected_with_the_exact_rest_of_the_time(clock: ManualClock) -> None:
    """A millisecond before its end the rest is a millisecond; at its end one call is let through."""
    breaker = make(clock)
    fail(breaker, 3)
    clock.advance(29.999)
    with pytest.raises(BreakerOpen) as caught:
        breaker.call(ok)
    assert caught.value.retry_after == pytest.approx(0.001)
    assert caught.value.retry_at == pytest.approx(1030.0)
    assert (caught.value.reason, caught.value.rule, caught.value.service) == ("breaker", "breaker", "svc")
    assert breaker.time_remaining == pytest.approx(0.001)
    clock.advance(0.001)
    assert breaker.time_remaining == 0
    with breaker:
        assert breaker.state == "half_open"
    assert breaker.state == "closed"


def test_breaker_10_reading_the_state_sends_the_event_once(clock: ManualClock) -> None:
    """Whoever looks first causes the event."""
    breaker = make(clock)
    seen: list[BreakerChanged] = []
    breaker.subscribe(seen.append)
    fail(breaker, 3)
    clock.advance(30)
    assert [breaker.state for _ in range(3)] == ["half_open"] * 3
    assert [(event.old, event.new) for event in seen] == [("closed", "open"), ("open", "half_open")]


def test_breaker_11_12_13_probing(clock: ManualClock) -> None:
    """A bad probe opens with a fresh timer and attempt number two; three good ones close."""
    breaker = make(clock, success_threshold=3)
    seen: list[BreakerChanged] = []
    breaker.subscribe(seen.append)
    fail(breaker, 3)
    clock.advance(35)
    breaker.call(ok)
    breaker.call(ok)
    fail(breaker)
    assert breaker.time_remaining == 30
    assert (seen[-1].opened_times, seen[-1].until) == (2, 1_065_000_000)
    clock.advance(30)
    for _ in range(3):
        assert breaker.state == "half_open"
        breaker.call(ok)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "closed"


def test_breaker_14_15_backoff_and_jitter(clock: ManualClock) -> None:
    """The factor, the cap and the injected chance reach the rule."""
    breaker = make(
        clock,
        failure_threshold=1,
        recovery_timeout="1s",
        backoff=2,
        max_recovery_timeout=8,
        jitter=0.2,
        random=lambda: 0,
    )
    waits = []
    for _ in range(5):
        fail(breaker)
        waits.append(round(breaker.time_remaining, 6))
        clock.advance(breaker.time_remaining)
    assert waits == [0.8, 1.6, 3.2, 6.4, 6.4]


def _date(epoch: float) -> str:
    return email.utils.format_datetime(dt.datetime.fromtimestamp(epoch, dt.UTC), usegmt=True)


@pytest.mark.parametrize(
    ("carries", "waits"),
    [
        ({"retry_after": 42}, 42),
        ({"retry_after": dt.timedelta(seconds=42)}, 42),
        ({"retry_after": "42"}, 42),
        ({"headers": {"Retry-After": "42"}}, 42),
        ({"headers": {"retry-after": _date(1042)}}, 42),
        ({"response": SimpleNamespace(headers={"retry-after-ms": "42000"})}, 42),
        ({"retry_after": 5}, 30),
        ({"retry_after": 1e7}, 3600),
    ],
)
def test_breaker_16_retry_after_is_read_wherever_it_is(
    clock: ManualClock, carries: dict[str, object], waits: float
) -> None:
    """An exception or a failed result with it opens for that long, at least its own time and at most the cap."""
    error = Down()
    error.__dict__.update(carries)
    breaker = make(clock)
    fail(breaker, error=error)
    assert breaker.state == "open"
    assert breaker.time_remaining == waits
    judged = make(clock, is_failure=lambda result: isinstance(result, SimpleNamespace))
    judged.call(lambda: SimpleNamespace(**carries))
    assert judged.time_remaining == waits


class _Hostile(Exception):
    @property
    def headers(self) -> dict[str, str]:
        raise RuntimeError


@pytest.mark.parametrize(
    "value", [-5, 0, float("nan"), float("inf"), 1e300, True, "soon", "-1", _date(900), dt.timedelta(-1), object()]
)
def test_breaker_16_garbage_is_ignored(clock: ManualClock, value: object) -> None:
    """What is negative, past or no time at all opens nothing."""
    error = Down()
    error.__dict__["retry_after"] = value
    breaker = make(clock)
    fail(breaker, 2, error)
    assert breaker.state == "closed"


def test_breaker_16_an_object_that_raises_when_it_is_read_is_no_harm(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller still gets its own exception, the failure counts, and the log says what happened."""
    breaker = make(clock)
    with pytest.raises(_Hostile):
        breaker.call(_raiser(_Hostile()))
    assert breaker.stats().failures == 1
    assert "no Retry-After could be read from _Hostile" in caplog.text


def _raiser(error: BaseException) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def test_breaker_17_rejections_while_probing_say_so(clock: ManualClock) -> None:
    """With both trial calls under way the third is rejected at once, and knows no time."""
    breaker = make(clock, probes=2)
    fail(breaker, 3)
    clock.advance(30)
    permits = [breaker.acquire(), breaker.acquire()]
    with pytest.raises(BreakerOpen, match="the circuit of svc is being probed: 2 of 2 trial calls under way") as caught:
        breaker.acquire()
    assert caught.value.retry_after is None
    assert breaker.stats().probes == 2
    permits[0].cancel()
    breaker.acquire().success()
    assert breaker.state == "closed"


def test_breaker_21_22_results_of_calls_begun_before_say_nothing(clock: ManualClock) -> None:
    """Late results neither close, reopen, nor free a probe, even after a whole cycle."""
    breaker = make(clock)
    late = [breaker.acquire() for _ in range(4)]
    fail(breaker, 3)
    late[0].success()
    assert breaker.state == "open"
    clock.advance(30)
    probe = breaker.acquire()
    late[1].failure()
    with pytest.raises(BreakerOpen):
        breaker.acquire()
    probe.success()
    before = breaker.stats()
    late[2].failure()
    late[3].success()
    assert breaker.stats() == before


def test_breaker_22_a_late_success_of_a_quiet_circuit_is_not_counted_in_the_next_generation(clock: ManualClock) -> None:
    """What was noted without the lock belongs to the generation of its call."""
    breaker = make(clock)
    late = breaker.acquire()
    breaker.call(ok)
    breaker.reset()
    late.success()
    breaker.call(ok)
    assert breaker.stats().calls == 1


def test_breaker_23_a_lost_probe_gives_way(clock: ManualClock) -> None:
    """After its lease another call is admitted, and the late result is ignored."""
    breaker = make(clock, probe_lease=60)
    fail(breaker, 3)
    clock.advance(30)
    lost = breaker.acquire()
    clock.advance(60)
    second = breaker.acquire()
    lost.failure()
    assert breaker.state == "half_open"
    second.success()
    assert breaker.state == "closed"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
def test_breaker_28_what_is_no_exception_says_nothing(clock: ManualClock, error: BaseException) -> None:
    """It goes through unchanged, counts nothing, and gives the place back."""
    breaker = make(clock)
    fail(breaker, 2)
    with pytest.raises(type(error)) as caught:
        breaker.call(_raiser(error))
    assert caught.value is error
    assert breaker.stats().failures == 2
    fail(breaker)
    clock.advance(30)
    with pytest.raises(type(error)):
        breaker.call(_raiser(error))
    assert breaker.state == "half_open"
    breaker.call(ok)
    assert breaker.state == "closed"


def test_breaker_29_a_group_says_what_the_worst_of_it_says(clock: ManualClock) -> None:
    """One failure however many there are in it; nothing if all of them are excluded or cancelled."""
    breaker = make(clock, excluded=Mine)
    fail(breaker, error=ExceptionGroup("some", [Mine(), ExceptionGroup("inner", [Down(), Down()])]))
    assert breaker.stats().failures == 1
    fail(breaker, error=ExceptionGroup("in another order", [Down(), Mine()]))
    assert breaker.stats().failures == 2
    fail(breaker, error=ExceptionGroup("all mine", [Mine(), Mine()]))
    fail(breaker, error=BaseExceptionGroup("cancelled", [Mine(), KeyboardInterrupt()]))
    assert breaker.stats().failures == 2
    assert breaker.stats().calls == 2


def test_breaker_29_a_group_can_be_excluded_as_a_whole(clock: ManualClock) -> None:
    """Its type is asked before its members are."""
    breaker = make(clock, excluded=(ExceptionGroup,))
    fail(breaker, error=ExceptionGroup("some", [Down()]))
    assert breaker.stats().failures == 0


def test_breaker_30_what_is_excluded_is_neutral(clock: ManualClock) -> None:
    """By type or by predicate: no failure, no success, and a probe's place comes back."""
    breaker = make(clock, excluded=(Mine, lambda error: "mine" in str(error)))
    fail(breaker, 2)
    fail(breaker, error=Mine())
    fail(breaker, error=Down("mine"))
    assert breaker.stats().failures == 2
    fail(breaker)
    clock.advance(30)
    fail(breaker, error=Mine())
    assert breaker.state == "half_open"
    breaker.call(ok)
    assert breaker.state == "closed"


def test_breaker_30_our_own_refusals_say_nothing_about_the_service(clock: ManualClock) -> None:
    """A call that another rule of ours turned away never left."""
    refusal = Refusal(reason="rate_limit", rule="r", service="other", message="no", retry_after=99)
    breaker = make(clock)
    fail(breaker, 3, RateLimited(refusal))
    assert breaker.state == "closed"


def test_breaker_31_results_can_be_failures(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets them unchanged; a predicate that raises has no say and is logged."""
    breaker = make(clock, is_failure=lambda result: result.status >= 500)
    bad, good = SimpleNamespace(status=503), SimpleNamespace(status=200)
    assert breaker.call(lambda: bad) is bad
    assert breaker.stats().failures == 1
    assert breaker.call(lambda: good) is good
    assert breaker.stats().failures == 0
    assert breaker.call(ok) == "ok"
    assert "a predicate failed on str" in caplog.text
    fail(breaker)
    assert breaker.stats().failures == 1


@pytest.mark.parametrize(
    ("said", "result", "error"),
    [(True, 1, 1), (False, 0, 0), (None, 0, 1), ("failure", 1, 1), ("neutral", 0, 0), ("success", 0, 0), ("", 0, 0)],
)
def test_breaker_31_what_a_predicate_may_say(clock: ManualClock, said: object, result: int, error: int) -> None:
    """A bool, no opinion, or a word; True and False are about failures only."""
    breaker = make(clock, is_failure=lambda thing: said)
    breaker.call(ok)
    assert breaker.stats().failures == result
    breaker.reset()
    fail(breaker)
    assert breaker.stats().failures == error


def test_breaker_36_open_runs_no_body(clock: ManualClock) -> None:
    """Neither a call, a decorated function, nor a block runs; functions keep their colour."""
    breaker = make(clock)
    ran: list[str] = []
    plain = breaker.protect(lambda: ran.append("plain"))

    @breaker.protect
    def items() -> object:
        ran.append("generator")
        yield 1

    assert inspect.isgeneratorfunction(items)
    assert items.__name__ == "items"
    breaker.force_open()
    for attempt in (plain, lambda: breaker.call(ran.append, "call"), lambda: list(items()), breaker.acquire):
        with pytest.raises(BreakerOpen, match="the circuit of svc is forced open: forced open by hand"):
            attempt()
    with pytest.raises(BreakerOpen), breaker:
        ran.append("with")
    assert ran == []
    assert breaker.stats().rejected == 5


def test_breaker_37_modes(clock: ManualClock) -> None:
    """Forced open rejects at any time, disabled records nothing, metrics only tells, and all end by reset."""
    breaker = make(clock)
    seen: list[BreakerChanged] = []
    breaker.subscribe(seen.append)
    under_way = breaker.acquire()
    breaker.force_open()
    under_way.failure()
    clock.advance(10**6)
    assert breaker.state == "forced_open"
    with pytest.raises(BreakerOpen) as caught:
        breaker.call(ok)
    assert caught.value.retry_after is None
    breaker.disable()
    fail(breaker, 10)
    assert breaker.stats().calls == 0
    breaker.metrics_only()
    fail(breaker, 10)
    breaker.call(ok)
    assert (breaker.stats().calls, breaker.state) == (11, "metrics_only")
    breaker.reset()
    breaker.force_closed()
    assert [(event.old, event.new) for event in seen] == [
        ("closed", "forced_open"),
        ("forced_open", "disabled"),
        ("disabled", "metrics_only"),
        ("metrics_only", "metrics_only"),
        ("metrics_only", "closed"),
    ]
    assert seen[3].reason == "would open: 3 failures in a row (threshold 3)"
    assert breaker.stats().rejected == 0


def test_breaker_37_closing_by_hand(clock: ManualClock) -> None:
    """An open circuit closes at once and guards on."""
    breaker = make(clock)
    fail(breaker, 3)
    breaker.force_closed()
    fail(breaker, 2)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"


def test_breaker_38_listeners_may_raise_and_call_back(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    """Results are unchanged, and each listener sees each change once, in order."""
    breaker = make(clock)
    seen: list[str] = []

    def meddles(event: BreakerChanged) -> None:
        if event.new == "open":
            breaker.force_open()
        assert breaker.stats().name == "svc"
        raise Mine

    breaker.subscribe(meddles)
    stop = breaker.subscribe(lambda event: seen.append(event.new))
    with caplog.at_level(logging.CRITICAL):
        fail(breaker, 3)
    assert seen == ["open", "forced_open"]
    stop()
    breaker.subscribe(_raiser_of_keyboard_interrupt)
    with pytest.raises(KeyboardInterrupt), caplog.at_level(logging.CRITICAL):
        breaker.reset()
    with pytest.raises(KeyboardInterrupt), caplog.at_level(logging.CRITICAL):
        breaker.disable()
    assert seen == ["open", "forced_open"]


def _raiser_of_keyboard_interrupt(event: BreakerChanged) -> None:
    raise KeyboardInterrupt


def test_breaker_38_a_blocking_listener_holds_up_nobody_else(clock: ManualClock) -> None:
    """While one thread's listener blocks, others go on, and what they cause is delivered behind it."""
    breaker = make(clock)
    seen: list[str] = []
    blocked, go_on = threading.Event(), threading.Event()

    def blocks(event: BreakerChanged) -> None:
        seen.append(event.new)
        if event.new == "forced_open":
            blocked.set()
            assert go_on.wait(10)

    breaker.subscribe(blocks)
    thread = threading.Thread(target=breaker.force_open)
    thread.start()
    assert blocked.wait(10)
    breaker.disable()
    breaker.reset()
    assert breaker.call(ok) == "ok"
    assert seen == ["forced_open"]
    go_on.set()
    thread.join(10)
    assert seen == ["forced_open", "disabled", "closed"]


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_breaker_39_the_wall_clock_has_no_say(clock: ManualClock, jump: int) -> None:
    """A wall clock that steps by an hour leaves the time open as it was."""
    breaker = make(clock)
    fail(breaker, 3)
    clock.set_wall(1000 + jump)
    assert breaker.time_remaining == 30
    clock.advance(29.9)
    assert breaker.state == "open"
    clock.advance(0.1)
    assert breaker.state == "half_open"


def test_breaker_40_rejections_retain_nothing(clock: ManualClock) -> None:
    """Twenty thousand rejections, each a fresh exception, keep less than a megabyte."""
    breaker = make(clock)
    fail(breaker, 3)

    def rejected() -> BreakerOpen:
        with pytest.raises(BreakerOpen) as caught:
            breaker.call(ok)
        return caught.value

    assert rejected() is not rejected()
    gc.collect()
    tracemalloc.start()
    for _ in range(20_000):
        with contextlib.suppress(BreakerOpen):
            breaker.call(ok)
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000


def test_a_success_that_is_told_after_a_failure_is_judged_too(clock: ManualClock) -> None:
    """What a slower thread notes just after another one's failure counts when the rule is told next."""
    breaker = make(clock, failure_threshold=100, minimum_calls=3, failure_rate=0.5)
    seen: list[BreakerChanged] = []
    breaker.subscribe(seen.append)
    entry = breaker._circuit.way  # noqa: SLF001 - stands for a thread that is between two steps
    assert entry is not None
    fail(breaker, 2)
    entry.good.append(clock.monotonic())
    entry.good.append(clock.monotonic())
    assert breaker.state == "open"
    assert [event.new for event in seen] == ["open"]
    assert "2 of 3 calls failed" in seen[0].reason


def test_many_successes_need_no_memory(clock: ManualClock) -> None:
    """What is noted without the lock is told to the rule before it piles up."""
    breaker = make(clock)
    for _ in range(1000):
        breaker.call(ok)
    assert len(breaker._circuit.way.good) <= 256  # type: ignore[union-attr]  # noqa: SLF001 - it is closed; memory is the promise
    assert breaker.stats().calls == 1000


def test_a_permit_is_settled_once_and_is_a_block_too(clock: ManualClock) -> None:
    """Words after the first are ignored; as a block it goes by the exception, unless it was settled inside."""
    breaker = make(clock, excluded=(Mine,))
    permit = breaker.acquire()
    assert isinstance(permit, Permit)
    permit.failure()
    permit.failure(Down())
    permit.success()
    permit.cancel()
    assert breaker.stats().failures == 1
    with pytest.raises(Down), breaker.acquire():
        raise Down
    breaker.acquire().failure(Mine())
    assert breaker.stats().failures == 2
    with breaker as inside:
        inside.failure()
    assert breaker.state == "open"


def test_blocks_of_several_breakers_nest_in_any_way(clock: ManualClock) -> None:
    """Each block settles its own, also where generators leave theirs in another order."""
    first, second = make(clock), make(clock)

    def holds(breaker: CircuitBreaker) -> object:
        with breaker:
            yield
            raise Down

    one, other = holds(first), holds(second)
    next(one)  # type: ignore[call-overload]  # a generator
    next(other)  # type: ignore[call-overload]  # as above
    with first, second:
        pass
    for generator in (one, other):
        with pytest.raises(Down):
            next(generator)  # type: ignore[call-overload]  # as above
    assert [one.stats().failures for one in (first, second)] == [1, 1]
    first.__exit__(None, None, None)


def test_settled_calls_of_every_kind_of_callable(clock: ManualClock) -> None:
    """Built-in functions, methods, classes and objects with ``__call__`` are protected too."""
    breaker = make(clock)

    class Doubler:
        def __call__(self, number: int) -> int:
            return 2 * number

        def method(self, number: int) -> int:
            return 3 * number

    assert breaker.call(len, "four") == 4
    assert breaker.call(Doubler(), 2) == 4
    assert breaker.call(Doubler().method, 2) == 6
    assert isinstance(breaker.protect(Doubler)(), Doubler)
    assert breaker.protect(Doubler())(4) == 8
    assert breaker.stats().calls == 5
    with pytest.raises(TypeError, match="a breaker protects functions, not 5"):
        breaker.protect(5)  # type: ignore[call-overload]  # what a user might do


def test_numbers_are_there_as_plain_types(clock: ManualClock) -> None:
    """The dictionary goes into JSON; a breaker that never opened has no time of it."""
    breaker = make(clock)
    assert breaker.stats().opened_at is None
    assert breaker.stats().failure_rate is None
    fail(breaker, 3)
    found = breaker.to_dict()
    assert json.loads(json.dumps(found)) == found
    assert found["state"] == "open"
    assert (found["opened_at"], found["since"], found["time_remaining"]) == (1000.0, 1000.0, 30.0)
    assert repr(breaker) == "<CircuitBreaker 'svc' open>"


def test_the_states_are_public() -> None:
    """They are words, equal to what events and numbers say."""
    assert [state.value for state in sg.CircuitState] == [
        "closed",
        "open",
        "half_open",
        "forced_open",
        "disabled",
        "metrics_only",
    ]


NUMBERS = ("failure_threshold", "minimum_calls", "probes", "success_threshold")
DURATIONS = ("recovery_timeout", "probe_lease", "slow_call", "window", "max_recovery_timeout")


@pytest.mark.parametrize("setting", NUMBERS)
@pytest.mark.parametrize("value", [0, -1, True, 1.5, float("nan"), "3", None])
def test_a_count_that_is_none_is_refused(setting: str, value: object) -> None:
    """Zero, negative, fractions, booleans and text are no counts."""
    with pytest.raises(ValueError, match=f"{setting} is a whole number from 1 on, not"):
        CircuitBreaker("svc", **{setting: value})  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("setting", ["failure_rate", "slow_rate"])
@pytest.mark.parametrize("value", [0, -0.1, 1.1, True, float("nan"), "0.5", None])
def test_a_share_that_is_none_is_refused(setting: str, value: object) -> None:
    """A rate is above 0 and at most 1."""
    with pytest.raises(ValueError, match=f"{setting} is a number above 0 and up to 1, not"):
        CircuitBreaker("svc", **{setting: value})  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("setting", DURATIONS)
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), "5", "soon", "0s", b"5s", dt.timedelta(0)])
def test_a_duration_that_is_none_is_refused(setting: str, value: object) -> None:
    """Seconds, a timedelta or text with a unit, and above zero."""
    with pytest.raises(ValueError, match=f"{setting} is a duration above 0"):
        CircuitBreaker("svc", **{setting: value})  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"jitter": 1.1}, "jitter is a number from 0 to 1, not 1.1"),
        ({"jitter": -0.1}, "jitter is a number from 0 to 1"),
        ({"backoff": 0.9}, "backoff is a number from 1 on, not 0.9"),
        ({"backoff": float("nan")}, "backoff is a number from 1 on"),
        ({"window": True}, "window is a whole number from 1 on, not True"),
        ({"window": 0}, "window is a whole number from 1 on"),
        ({"max_recovery_timeout": 60}, "max_recovery_timeout must not be shorter than recovery_timeout, 120 s"),
        ({"excluded": (5,)}, "excluded holds types of exceptions and predicates, not 5"),
        ({"excluded": int}, "excluded holds types of exceptions and predicates, not <class 'int'>"),
        ({"is_failure": 5}, "is_failure is a function of a result or an exception, not 5"),
        ({"outer_timeout": "maybe"}, 'outer_timeout is "neutral" or "failure", not \'maybe\''),
        ({"retry_after": "maybe"}, 'retry_after is "honor", "extend" or "ignore", not \'maybe\''),
        ({"name": ""}, "name is a text that is not empty"),
        ({"name": 5}, "name is a text that is not empty"),
    ],
)
def test_other_bad_settings_are_refused(settings: dict[str, object], says: str) -> None:
    """Each says in a sentence what is wanted."""
    with pytest.raises(ValueError, match=says.replace("(", r"\(")):
        CircuitBreaker(**{"name": "svc", **settings})  # type: ignore[arg-type]  # on purpose


def test_durations_come_in_three_notations(clock: ManualClock) -> None:
    """Seconds, a timedelta and text come to the same, and a long recovery time-out lifts the cap."""
    for recovery in (7200, 7200.0, dt.timedelta(hours=2), "2h"):
        settings = make(clock, recovery_timeout=recovery).settings
        assert (settings["recovery_timeout"], settings["max_recovery_timeout"]) == (7200.0, 7200.0)
