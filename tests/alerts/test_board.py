from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from switchgear.alerts.alert import Ack, Alert
from switchgear.alerts.board import Board, Listener
from switchgear.alerts.readings import Asked, Reading
from switchgear.alerts.rules import Operator, Rule
from switchgear.alerts.silences import Silence
from switchgear.clock import MICROS

SECOND = MICROS
HOUR = 3600 * SECOND
PAGER = Listener("pager", "info", resolved=True)


def a_rule(name: str = "errors", **facts: Any) -> Rule:  # noqa: ANN401 - fields of a rule
    """Make a rule that fires at once above 10 %, and is over at once."""
    given: dict[str, Any] = {"metric": "service.error_percent", "window_us": 300 * SECOND, "threshold": 10.0}
    given |= {"operator": "above", "keep_us": 0, **facts}
    return Rule(name=name, resolve=given.pop("resolve", given["threshold"]), **given)


BREAKER = a_rule("breaker-open", metric="breaker.open", window_us=None, threshold=1.0, operator="at_least")


def read(rule: Rule, *values: float | None, **labels: str) -> dict[Asked, list[Reading]]:
    """Return what *rule* reads of one subject."""
    subject = labels or {"service": "openai"}
    return {Asked(rule.metric, rule.window_us): [Reading(subject, value) for value in values]}


def board_of(*rules: Rule, **facts: Any) -> Board:  # noqa: ANN401 - arguments of a board
    """Make a board that repeats after four hours."""
    return Board(rules, repeat_us=4 * HOUR, **facts)


def test_an_alert_fires_when_the_value_has_been_bad_for_long_enough() -> None:
    """With a `for`, an alert is pending first, tells nobody, and fires when that time is over."""
    rule = a_rule(hold_us=60 * SECOND)
    board = board_of(rule)

    assert board.evaluate(read(rule, 20.0), now=0) == []
    assert [alert.state for alert in board.alerts] == ["pending"]
    assert board.due(PAGER, now=0, limit=9) == []
    (fired,) = board.evaluate(read(rule, 30.0), now=60 * SECOND)

    assert (fired.state, fired.since, fired.fired_at, fired.value) == ("firing", 0, 60 * SECOND, 30.0)
    assert board.due(PAGER, now=60 * SECOND, limit=9) == [fired]


def test_a_pending_alert_that_gets_well_was_nothing() -> None:
    """A value that is good before `for` is over leaves nothing behind."""
    rule = a_rule(hold_us=60 * SECOND)
    board = board_of(rule)
    board.evaluate(read(rule, 20.0), now=0)

    assert board.evaluate(read(rule, 5.0), now=59 * SECOND) == []
    assert board.alerts == ()


def test_flapping_around_the_threshold_is_one_alert() -> None:
    """Between `resolve` and the threshold, and for `keep_for` below it, an alert stays up: one message."""
    rule = a_rule(resolve=8.0, keep_us=60 * SECOND)
    board = board_of(rule)
    values = [11.0, 9.0, 12.0, 7.0, 11.0, 7.0, 9.5, 7.0]
    news = [
        alert for at, value in enumerate(values) for alert in board.evaluate(read(rule, value), now=at * 15 * SECOND)
    ]

    assert [alert.state for alert in news] == ["firing"]
    (over,) = board.evaluate(read(rule, 7.0), now=15 * 11 * SECOND)
    assert over.state == "resolved"


def test_who_an_alert_is_has_no_numbers_in_it() -> None:
    """Other values of the same rule and subject are the same alert, told of once."""
    rule = a_rule()
    board = board_of(rule)
    for at in range(100):
        board.evaluate(read(rule, 90.0 + at / 10), now=at * SECOND)
        board.tell("pager", board.due(PAGER, now=at * SECOND, limit=9), at=at * SECOND)

    (alert,) = board.alerts
    assert alert.key == "errors{service=openai}"
    assert alert.told["pager"].at == 0
    assert (alert.worst, alert.value) == (99.9, 99.9)


def test_what_can_not_be_read_changes_nothing() -> None:
    """A metric without readings leaves its alerts as they are; a subject that is gone ends its alert."""
    rule = a_rule()
    board = board_of(rule)
    board.evaluate(read(rule, 50.0), now=0)

    assert board.evaluate({}, now=SECOND) == []
    assert [alert.state for alert in board.evaluate(read(rule), now=2 * SECOND)] == ["resolved"]


def test_it_is_told_again_after_a_while_unless_somebody_knows() -> None:
    """What still fires is told again after `repeat`, and not once it is acknowledged."""
    rule = a_rule()
    board = board_of(rule)
    (alert,) = board.evaluate(read(rule, 50.0), now=0)
    board.tell("pager", [alert], at=0)

    assert board.due(PAGER, now=4 * HOUR - 1, limit=9) == []
    assert len(board.due(PAGER, now=4 * HOUR, limit=9)) == 1
    assert board.acknowledge(alert.key, Ack(by="ops", note="on it", at=HOUR)) is not None
    assert board.due(PAGER, now=9 * HOUR, limit=9) == []
    board.evaluate(read(rule, 1.0), now=10 * HOUR)
    assert [alert.state for alert in board.due(PAGER, now=10 * HOUR, limit=9)] == ["resolved"]


def test_a_silence_mutes_and_tells_when_it_is_over() -> None:
    """While a silence covers an alert nobody is told; when it ends and the alert still fires, they are."""
    rule = a_rule()
    board = board_of(rule)
    silence = Silence(id="s1", matchers={"service": "openai"}, at=0, until=HOUR, by="ops", reason="planned")
    board.silence(silence, now=0)
    board.evaluate(read(rule, 50.0), now=SECOND)

    assert board.due(PAGER, now=SECOND, limit=9) == []
    assert board.alerts[0].muted_by == "silence s1"
    board.evaluate(read(rule, 50.0), now=HOUR)
    assert len(board.due(PAGER, now=HOUR, limit=9)) == 1


def test_what_was_silenced_to_its_end_is_never_told() -> None:
    """An alert that begins and ends under a silence sends no message at all."""
    rule = a_rule()
    board = board_of(rule)
    board.silence(Silence(id="s1", matchers={"rule": "errors"}, at=0, until=HOUR, by="ops", reason="x"), now=0)
    board.evaluate(read(rule, 50.0), now=SECOND)
    board.evaluate(read(rule, 0.0), now=2 * SECOND)

    assert [alert.state for alert in board.alerts] == ["resolved"]
    assert board.due(PAGER, now=2 * SECOND, limit=9) == []


def test_an_open_breaker_speaks_for_its_symptoms() -> None:
    """While the breaker of a service is open, its error rate is no message; that of another service is."""
    errors = a_rule()
    board = board_of(errors, BREAKER)
    readings = read(BREAKER, 1.0) | {
        Asked(errors.metric, errors.window_us): [
            Reading({"service": "openai"}, 90.0),
            Reading({"service": "other"}, 90.0),
        ]
    }
    board.evaluate(readings, now=0)

    told = [alert.key for alert in board.due(PAGER, now=0, limit=9)]
    assert sorted(told) == ["breaker-open{service=openai}", "errors{service=other}"]
    assert board.alerts[0].muted_by == "breaker-open{service=openai}"


def test_of_two_thresholds_the_graver_speaks() -> None:
    """A budget that jumps over 75, 90 and 100 % is one message, not three."""
    rules = [
        a_rule(f"budget-{at}", metric="budget.used_percent", window_us=None, threshold=float(at), operator="at_least")
        for at in (75, 90, 100)
    ]
    board = board_of(*rules)
    board.evaluate(read(rules[0], 120.0, budget="b", value=""), now=0)

    assert [alert.rule for alert in board.due(PAGER, now=0, limit=9)] == ["budget-100"]


def test_a_mild_alert_is_not_for_a_channel_of_grave_ones() -> None:
    """A channel hears of its severity and above."""
    rule = a_rule(severity="warning")
    board = board_of(rule)
    board.evaluate(read(rule, 50.0), now=0)

    assert board.due(Listener("pager", "critical", resolved=True), now=0, limit=9) == []


def test_a_rule_that_is_no_more_ends_its_alerts() -> None:
    """An alert that was recorded under a rule of an older configuration is over."""
    rule = a_rule()
    first = board_of(rule)
    first.evaluate(read(rule, 50.0), now=0)
    second = board_of(BREAKER, alerts=first.alerts)

    assert [alert.state for alert in second.evaluate({}, now=SECOND)] == ["resolved"]


def test_a_new_channel_hears_no_old_stories() -> None:
    """Who is added later is not told of alerts that were over more than an hour ago."""
    rule = a_rule()
    board = board_of(rule)
    board.evaluate(read(rule, 50.0), now=0)
    board.evaluate(read(rule, 1.0), now=SECOND)

    assert len(board.due(PAGER, now=HOUR, limit=9)) == 1
    assert board.due(PAGER, now=2 * HOUR, limit=9) == []


def test_that_one_is_over_is_told_although_the_next_is_pending() -> None:
    """A sink that did not answer when an alert ended hears of the end, even while the value is bad again."""
    rule = a_rule(hold_us=60 * SECOND)
    board = board_of(rule)
    board.evaluate(read(rule, 50.0), now=0)
    board.evaluate(read(rule, 50.0), now=60 * SECOND)
    board.tell("pager", board.due(PAGER, now=60 * SECOND, limit=9), at=60 * SECOND)
    board.evaluate(read(rule, 1.0), now=70 * SECOND)
    board.evaluate(read(rule, 50.0), now=80 * SECOND)

    (due,) = board.due(PAGER, now=80 * SECOND, limit=9)
    assert (due.state, due.news) == ("pending", "resolved")
    board.tell("pager", [due], at=80 * SECOND)
    assert board.due(PAGER, now=80 * SECOND, limit=9) == []


@pytest.mark.parametrize(
    ("operator", "value", "bad"),
    [
        ("above", 10.0, False),
        ("above", 10.1, True),
        ("at_least", 10.0, True),
        ("below", 10.0, False),
        ("below", 9.9, True),
    ],
)
def test_thresholds_mean_what_they_say(operator: Operator, value: float, bad: bool) -> None:  # noqa: FBT001 - a case
    """`above` and `below` leave the threshold itself out; `at_least` does not."""
    assert a_rule(operator=operator).is_bad(value, firing=False) is bad


class Model(RuleBasedStateMachine):
    """One subject through values, time and restarts, beside the simplest thing that says the same."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.rule = a_rule(hold_us=30 * SECOND, keep_us=45 * SECOND, resolve=5.0)
        self.board = board_of(self.rule)
        self.heard: list[tuple[str, int]] = []
        self.bad_since: int | None = None
        self.good_since: int | None = None
        self.state = "inactive"
        self.value: float | None = None

    @rule(seconds=st.integers(0, 60), value=st.sampled_from([0.0, 5.0, 7.0, 10.0, 11.0, 50.0, None]))
    def look(self, seconds: int, value: float | None) -> None:
        self.now += seconds * SECOND
        self.board.evaluate(read(self.rule, value), now=self.now)
        self._expect(value)

    @rule()
    def deliver(self) -> None:
        due = self.board.due(PAGER, now=self.now, limit=9)
        self.heard += [(alert.state, alert.fired_at or 0) for alert in due]
        self.board.tell("pager", due, at=self.now)

    @rule()
    def restart(self) -> None:
        """Only what fires or has fired is recorded: a pending one begins anew."""
        kept = [alert for alert in self.board.alerts if alert.state != "pending"]
        raw = msgspec.json.encode(kept)
        self.board = board_of(self.rule, alerts=msgspec.json.decode(raw, type=list[Alert]))
        if self.state == "pending":
            self.state, self.bad_since = "inactive", None

    def _expect(self, value: float | None) -> None:
        bad = value is not None and value > (5.0 if self.state == "firing" else 10.0)
        if self.state == "firing":
            if bad:
                self.good_since = None
            else:
                self.good_since = self.now if self.good_since is None else self.good_since
                if self.now - self.good_since >= 45 * SECOND:
                    self.state, self.good_since = "inactive", None
        elif not bad:
            self.state, self.bad_since = "inactive", None
        elif self.state == "inactive":
            self.state, self.bad_since = "pending", self.now
        elif self.bad_since is not None and self.now - self.bad_since >= 30 * SECOND:
            self.state, self.bad_since = "firing", None

    @invariant()
    def the_state_is_that_of_the_model(self) -> None:
        found: list[str] = [alert.state for alert in self.board.alerts]
        assert (found or ["inactive"])[0].replace("resolved", "inactive") == self.state

    @invariant()
    def nobody_hears_the_same_twice(self) -> None:
        assert len(set(self.heard)) == len(self.heard)

    @invariant()
    def nothing_is_over_that_nobody_owed(self) -> None:
        for state, episode in self.heard:
            alerts = self.board.alerts
            assert state == "firing" or ("firing", episode) in self.heard or alerts[0].owed


Model.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestModel = Model.TestCase
