from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.telemetry.conftest import START, made, refused, settled

import switchgear as sg
from switchgear.calls import Call
from switchgear.config.telemetry import TelemetryConfig
from switchgear.events import BreakerChanged, BudgetChanged, BudgetCrossed, CallRetried, Event, ShadowExceeded
from switchgear.telemetry.logs.lines import Lines
from switchgear.telemetry.logs.repeats import Repeats
from switchgear.telemetry.logs.setup import handler_for
from switchgear.testing import ManualClock

PLANTED = "sk-planted-0123456789abcdef"


@pytest.fixture
def written() -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Return a function that logs events at a level, as JSON, and returns the lines."""
    log = logging.getLogger("switchgear")
    before = log.level
    streams: list[logging.Handler] = []

    def write(*events: Event, level: str = "info") -> list[dict[str, Any]]:
        stream = io.StringIO()
        handler = handler_for(TelemetryConfig(logs="json"), stream)
        assert handler is not None
        streams.append(handler)
        log.addHandler(handler)
        log.setLevel(level.upper())
        for event in events:
            Lines().listen(event)
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    yield write
    for handler in streams:
        log.removeHandler(handler)
    log.setLevel(before)


def call(run: str | None = "r", layer: str | None = "l") -> Call:
    """Return a call of a run."""
    return made(run, layer)


EVENTS: list[tuple[Event, str, str]] = [
    (BreakerChanged(service="s", old="closed", new="open", reason="5 in a row", at=1), "breaker_changed", "warning"),
    (BreakerChanged(service="s", old="half_open", new="closed", reason="ok", at=1), "breaker_changed", "info"),
    (
        BudgetCrossed(budget="b", value=None, threshold=0.75, used=3, limit=4, unit="usd", at=1),
        "budget_crossed",
        "warning",
    ),
    (BudgetCrossed(budget="b", value="v", threshold=1.0, used=4, limit=4, unit="usd", at=1), "budget_crossed", "error"),
    (
        BudgetCrossed(budget="b", value=None, threshold=1.0, used=4, limit=4, unit="tokens", at=1, shadow=True),
        "budget_crossed",
        "info",
    ),
    (
        BudgetChanged(budget="b", old=1, new=2, configured=1, unit="usd", by="me", note="", at=1),
        "budget_changed",
        "warning",
    ),
    (
        ShadowExceeded(service="s", rule="b", verdict="refuse", count=1, unit="usd", limit=1, used=1, needed=1, at=1),
        "shadow_exceeded",
        "info",
    ),
    (refused(call()), "call_refused", "warning"),
    (settled(call(), status="failed", error="ReadTimeout"), "call_failed", "warning"),
    (CallRetried(call=call(), service="s", pause_us=1, at=1), "call_retried", "info"),
]


@pytest.mark.parametrize(("event", "name", "level"), EVENTS)
def test_each_change_of_state_is_one_line(
    written: Callable[..., list[dict[str, Any]]], event: Event, name: str, level: str
) -> None:
    """With a name that does not change, a level that fits, the time, and the process."""
    (line,) = written(event)

    assert (line["event"], line["level"]) == (name, level)
    assert {"timestamp", "logger", "pid"} <= line.keys()


def test_a_line_about_a_call_is_bound_to_it(written: Callable[..., list[dict[str, Any]]]) -> None:
    """Call, job, run, layer and trace are in it, so that lines can be joined with spans and rows."""
    event = refused(call())
    (line,) = written(event)

    assert (line["call_id"], line["run"], line["layer"]) == (event.call.id, "r", "l")
    assert line["trace_id"] == event.call.trace_id
    assert (line["reason"], line["rule"]) == ("budget", "acme")


def test_calls_that_went_well_are_told_only_when_asked(written: Callable[..., list[dict[str, Any]]]) -> None:
    """At debug there is a line for each, with its cost."""
    assert written(settled(call())) == []
    (line,) = written(settled(call()), level="debug")
    assert (line["event"], line["cost_usd"]) == ("call_settled", "0.000001")


def test_no_secret_gets_into_a_line(written: Callable[..., list[dict[str, Any]]]) -> None:
    """Whatever brings it: an error, a reason, a value of attribution, or another module's line."""
    lines = written(
        settled(call(run=f"r {PLANTED}"), status="failed", error=f"ConnectError {PLANTED}"),
        BreakerChanged(service="s", old="closed", new="open", reason=f"said {PLANTED}", at=1),
    )
    assert PLANTED not in json.dumps(lines)
    assert json.dumps(lines).count("***") == 3


def test_lines_of_other_modules_look_the_same(written: Callable[..., list[dict[str, Any]]]) -> None:
    """What the standard library's logging is told is rendered too, with the run that the thread works for."""
    written()
    stream = io.StringIO()
    handler = handler_for(TelemetryConfig(logs="json"), stream)
    assert handler is not None
    log = logging.getLogger("switchgear.gate")
    log.addHandler(handler)
    try:
        with sg.attribution(run="r9"):
            log.warning("call %s with %s", "c1", f"Bearer {PLANTED}")
    finally:
        log.removeHandler(handler)
    line = json.loads(stream.getvalue())
    assert line["event"] == "call c1 with Bearer ***"
    assert line["run"] == "r9"


def test_a_terminal_gets_plain_lines() -> None:
    """No JSON for people; off leaves logging alone."""
    stream = io.StringIO()
    handler = handler_for(TelemetryConfig(logs="console"), stream)
    assert handler is not None
    record = logging.makeLogRecord({"name": "switchgear.x", "msg": "hello", "levelname": "INFO", "levelno": 20})
    handler.emit(record)
    assert "hello" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
    assert handler_for(TelemetryConfig(logs="off"), stream) is None


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def record(message: str, subject: object = None) -> logging.LogRecord:
    """Return a line."""
    return logging.makeLogRecord({"name": "switchgear.x", "msg": message, "levelno": 30, "subject": subject})


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)), max_size=100))
def test_of_repeats_none_is_lost_uncounted(some: list[tuple[str, int]]) -> None:
    """What was written and what is counted as suppressed are together all lines, and no kind floods."""
    clock, handler = ManualClock(), Kept()
    due: list[tuple[float, Callable[[], None]]] = []
    repeats = Repeats(handler, clock=clock, later=lambda seconds, then: due.append((clock.monotonic() + seconds, then)))

    def pass_time(seconds: float) -> None:
        clock.advance(seconds)
        for at, then in [one for one in due if one[0] <= clock.monotonic()]:
            due.remove((at, then))
            then()

    passed = 0
    for kind, pause in some:
        passed += bool(repeats.filter(record(kind)))
        pass_time(pause)
    pass_time(60)

    told = sum(one.__dict__["switchgear"]["suppressed"] for one in handler.records)
    assert passed + told == len(some)
    assert due == []


def test_other_subjects_are_other_lines() -> None:
    """A flood about one service does not hide the first line about another."""
    clock = ManualClock()
    repeats = Repeats(Kept(), clock=clock, later=lambda *_: None)

    assert [repeats.filter(record("m", "one")) for _ in range(6)] == [True] * 5 + [False]
    assert repeats.filter(record("m", "other"))
    clock.advance(60)
    assert repeats.filter(record("m", "one"))


def test_kinds_are_bounded() -> None:
    """Ten thousand kinds at once do not fill the memory: beyond a thousand they are one."""
    repeats = Repeats(Kept(), clock=ManualClock(), later=lambda *_: None)
    passed = sum(bool(repeats.filter(record("m", number))) for number in range(10_000))

    assert passed == 1005


def test_time_of_the_call_is_the_events(written: Callable[..., list[dict[str, Any]]]) -> None:
    """What took how long is told in milliseconds."""
    (line,) = written(settled(call(), at=START, status="failed", error="X", waited=1500))
    assert (line["waited_ms"], line["took_ms"]) == (1.5, 1000.0)
