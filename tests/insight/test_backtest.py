from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.config import load_text
from switchgear.governor.opening import price_book
from switchgear.governor.rules import budget_rules, service_rules
from switchgear.insight.backtest import Backtest, WhatIf
from switchgear.insight.backtest_past import past_needed
from switchgear.insight.backtest_trace import BadTrace, read_trace
from switchgear.insight.questions import Span
from switchgear.ledger.recorded import Recorded

if TYPE_CHECKING:
    from pathlib import Path

    from switchgear.insight.backtest_report import BacktestReport

SECOND = 1_000_000
NOON = 1_795_521_600 * SECOND
"""2026-11-24T12:00:00Z."""

USD = 1_000_000_000
ALWAYS = Span(None, None)


def what_if(text: str) -> WhatIf:
    """Return the rules of a configuration with one service, ``house``, and no limits but those in *text*."""
    config = load_text(text)
    return WhatIf(
        services=service_rules(config),
        budgets=budget_rules(config),
        max_wait_us={name: service.max_wait for name, service in config.services.items()},
        refuse_unpriced=frozenset(n for n, service in config.services.items() if service.unpriced_policy == "refuse"),
    )


def service(more: str = "limits = {}") -> str:
    """Return the text of the one service."""
    return f'[services.house]\nbase_url = "http://127.0.0.1:9"\n{more}\n'


def budget(limit: str, more: str = "") -> str:
    """Return the text of a budget called ``b``."""
    return f'[[budgets]]\nname = "b"\nlimit_usd = "{limit}"\n{more}\n'


def call(at: float = 0.0, **fields: Any) -> Recorded:  # noqa: ANN401 - any field of it
    """Return a call that was asked for *at* seconds after noon, cost a dollar and took a second."""
    usual: dict[str, Any] = {
        "asked_at": NOON + round(at * SECOND),
        "call_id": f"call-{at}",
        "attempt": 1,
        "service": "house",
        "model": "m",
        "job": None,
        "run": None,
        "layer": None,
        "key": None,
        "tags": "{}",
        "status": "ok",
        "refused_by": None,
        "http_status": 200,
        "tokens": 10,
        "worst": USD,
        "cost": USD,
        "waited_us": 0,
        "duration_us": SECOND,
    }
    return Recorded(**{**usual, **fields})


def refused_call(at: float, **fields: Any) -> Recorded:  # noqa: ANN401 - as above
    """Return a call that a budget refused in fact."""
    return call(
        at, **{"status": "refused", "refused_by": "budget", "tokens": 0, "cost": 0, "duration_us": None, **fields}
    )


def played(text: str, *calls: Recorded) -> BacktestReport:
    """Return what comes of *calls* under the rules in *text*."""
    return Backtest(what_if(text)).run(calls)


def test_the_same_rules_change_nothing() -> None:
    """Without limits every call goes out when it was asked for, and costs what it did."""
    report = played(service(), *(call(at) for at in range(5)))

    assert report.happened == report.replayed
    assert (report.attempts, report.newly_refused, report.later, report.rules, report.jobs) == (5, 0, 0, (), ())


def test_a_budget_refuses_what_does_not_fit() -> None:
    """A budget of three dollars lets three calls of a dollar out; the others are saved, and their jobs are hurt."""
    calls = [call(at, job=f"job-{at % 2}") for at in range(5)]

    report = played(service() + budget("3"), *calls)

    assert (report.replayed.went_out, report.newly_refused, report.saved) == (3, 2, 2 * USD)
    assert report.replayed.refused == {"budget": 2}
    [rule] = report.rules
    assert (rule.reason, rule.service, rule.rule, rule.refused, rule.first_at) == (
        "budget",
        None,
        "b",
        2,
        NOON + 3 * SECOND,
    )
    assert [(job.job, job.calls, job.refused, job.saved) for job in report.jobs] == [
        ("job-0", 3, 1, USD),
        ("job-1", 2, 1, USD),
    ]


def test_reservations_count_until_calls_end() -> None:
    """The worst case is held while a call is out: of two at once only one fits, one after the other both do."""
    text = service() + budget("3")
    two = {"worst": 2 * USD}

    assert played(text, call(0, **two), call(0.5, **two)).newly_refused == 1
    assert played(text, call(0, **two), call(1.0, **two)).newly_refused == 0


def test_a_limit_delays() -> None:
    """Calls over the limit wait for their slot, in order, and come out later."""
    report = played(service("limits = { requests_per_minute = 2 }\nmax_wait = '2m'"), *(call(at) for at in range(4)))

    assert (report.replayed.went_out, report.later) == (4, 2)
    assert report.longer_us == 2 * 58 * SECOND
    assert report.replayed.longest_us == 58 * SECOND
    [rule] = report.rules
    assert (rule.rule, rule.service, rule.delayed, rule.refused, rule.first_at) == (
        "requests_per_minute",
        "house",
        2,
        0,
        None,
    )


def test_who_waits_for_a_place_in_flight_is_woken() -> None:
    """A cap on calls in flight lets the next one out as soon as one ends, not at the end of its patience."""
    report = played(
        service("limits = { concurrent = 1 }\nmax_wait = '1m'"), *(call(0, call_id=f"c{n}") for n in range(3))
    )

    assert report.replayed.went_out == 3
    assert report.replayed.waited_us == (1 + 2) * SECOND


def test_patience_ends() -> None:
    """A call that would wait longer than its service allows is refused."""
    report = played(service("limits = { requests_per_minute = 1 }\nmax_wait = '10s'"), call(0), call(1))

    assert report.replayed.refused == {"rate_limit": 1}


def test_less_waiting_is_no_harm() -> None:
    """A call that waited in fact and would not is not counted as delayed."""
    report = played(service(), call(0, waited_us=5 * SECOND))

    assert (report.happened.waited, report.replayed.waited, report.later) == (1, 0, 0)


def test_a_breaker_opens_on_recorded_failures() -> None:
    """Failures of the service open the circuit, so later calls are refused; the caller's own mistakes do not."""
    text = service("limits = {}\nbreaker = { failure_threshold = 2 }")
    failed = {"status": "failed", "duration_us": 100}

    for status, expected in ((500, 1), (None, 1), (404, 0)):
        report = played(text, *(call(at, http_status=status, **failed) for at in range(2)), call(2))
        assert report.replayed.refused.get("breaker", 0) == expected
    cancelled = [call(at, status="cancelled", http_status=None) for at in range(3)]
    assert played(text, *cancelled, call(3)).newly_refused == 0


def test_who_was_refused_may_go_out() -> None:
    """With more room a refused call goes out, at what its model cost so far on average, marked as estimated."""
    report = played(service() + budget("100"), call(0), call(1, cost=USD // 2), refused_call(2))

    assert (report.newly_let_out, report.replayed.went_out) == (1, 3)
    assert report.replayed.estimated == 3 * USD // 4
    assert report.replayed.cost == report.happened.cost + 3 * USD // 4
    assert played(service(), refused_call(0)).replayed.estimated == USD


def test_after_a_refusal_nobody_tries_again() -> None:
    """The second attempt of a call whose first one is refused is not made, and saved too."""
    report = played(service() + budget("1"), call(0), call(2, call_id="x"), call(4, call_id="x", attempt=2))

    assert (report.newly_refused, report.not_made, report.saved) == (1, 1, 2 * USD)


def test_unpriced_calls_meet_the_policy() -> None:
    """Where unpriced calls are refused, those of the ledger are; where they are let out, they are never $0."""
    free = call(0, worst=None, cost=None)

    assert played(service('unpriced = "refuse"\nlimits = {}'), free).replayed.refused == {"unpriced": 1}
    out = played(service('unpriced = "allow"\nlimits = {}'), free).replayed
    assert (out.went_out, out.unpriced, out.cost) == (1, 1, 0)


def test_budgets_match_as_at_the_gate() -> None:
    """`match` and `each` decide by the call's own attributes and tags."""
    text = service() + budget("1", 'match = { "tag.team" = "red" }\neach = "run"')
    red = {"tags": '{"team":"red"}'}
    calls = [
        call(0, run="a", **red),
        call(2, run="a", **red),
        call(4, run="b", **red),
        call(6, run="a"),
        call(8, **red),
    ]

    assert played(text, *calls).newly_refused == 1


def test_it_begins_with_what_was_spent_before() -> None:
    """From the middle of a period on, budgets and windows hold what had gone out by then; it is not played."""
    text = service("limits = { requests_per_day = 5 }\nmax_wait = '0s'") + budget("3", 'period = "month"')
    rules = what_if(text)
    before = [call(at) for at in (-7200, -3600)]

    report = Backtest(rules, since=NOON).run([*before, refused_call(-60), call(0), call(2)])

    assert (report.attempts, report.newly_refused) == (2, 1)
    assert past_needed(rules.budgets, NOON) == NOON - 23 * 86_400 * SECOND - 43_200 * SECOND
    long_ago = call(-40 * 86_400)
    assert Backtest(rules, since=NOON).run([long_ago, *before[:1], call(0), call(2)]).newly_refused == 0


def test_services_that_are_not_there_are_told() -> None:
    """Calls of a service that the configuration lacks are counted, and left out."""
    report = played(service(), call(0, service="gone"), call(1))

    assert (report.attempts, report.unknown) == (1, {"gone": 1})


def test_nothing_to_play() -> None:
    """No calls are no error."""
    report = played(service())

    assert (report.since, report.attempts) == (None, 0)


def test_progress_adds_up() -> None:
    """What progress is told is the number of calls."""
    told: list[int] = []
    Backtest(what_if(service())).run((call(at / 100) for at in range(4_500)), progress=told.append)

    assert (sum(told), len(told)) == (4_500, 3)


@settings(max_examples=40, deadline=None)
@given(
    calls=st.lists(
        st.tuples(
            st.integers(0, 90), st.integers(1, 4), st.integers(0, 30), st.sampled_from(["ok", "failed", "refused"])
        ),
        max_size=40,
    )
)
def test_every_attempt_ends_in_one_way(calls: list[tuple[int, int, int, str]]) -> None:
    """Played through limits, breaker and budgets at once, no call is lost, and no hard budget is overspent."""
    text = service(
        "limits = { requests_per_minute = 9, tokens_per_minute = 150, concurrent = 2 }\nmax_wait = '20s'\n"
        "breaker = { failure_threshold = 3, recovery_timeout = '10s' }"
    ) + budget("12")
    recorded = []
    for number, (at, cost, took, status) in enumerate(sorted(calls)):
        make = refused_call if status == "refused" else call
        fields: dict[str, Any] = {"call_id": f"c{number}", "worst": cost * USD}
        if status != "refused":
            fields |= {"cost": cost * USD, "duration_us": took * SECOND, "status": status, "http_status": None}
        recorded.append(make(at, **fields))

    report = played(text, *recorded)

    assert report.replayed.went_out + sum(report.replayed.refused.values()) == len(calls) == report.attempts
    assert report.replayed.cost <= 12 * USD
    assert report.replayed.longest_us <= 20 * SECOND
    assert report.replayed.went_out == report.happened.went_out - report.newly_refused + report.newly_let_out


TRACE = """\
TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,1000,10
2023-11-16T18:17:04+00:00,0,100
"""


@pytest.fixture
def trace(tmp_path: Path) -> Any:  # noqa: ANN401 - a function
    """Read a trace from its text."""

    def read(text: str, span: Span = ALWAYS) -> list[Recorded]:
        file = tmp_path / "trace.csv"
        file.write_text(text)
        config = load_text(service('prices = { m = { input = "1", output = "10" } }\nlimits = {}'))
        return list(read_trace(file, service="house", model="m", book=price_book(config), span=span))

    return read


def test_a_trace_becomes_calls(trace: Any) -> None:  # noqa: ANN401 - as above
    """A line is a call at the model's price, that took as long as its output takes."""
    first, second = trace(TRACE)

    assert (first.asked_at, first.tokens, first.cost, first.worst) == (
        1_700_158_623_979_960,
        1010,
        1_100_000,
        1_100_000,
    )
    assert (second.duration_us, second.status, second.call_id) == (2 * SECOND, "ok", "3")
    assert trace(TRACE, Span(second.asked_at, None)) == [second]
    assert trace(TRACE, Span(None, second.asked_at)) == [first]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n", "has the columns a, b; missing: TIMESTAMP, ContextTokens, GeneratedTokens. A trace has TIMESTAMP"),
        (TRACE.replace("2023-11-16T", "today "), "csv:3: TIMESTAMP: not an instant such as"),
        (TRACE.replace("18:17:04", "18:17:02"), "csv:3: TIMESTAMP: .* lies before the line above"),
        (TRACE.replace(",100\n", ",-1\n"), "csv:3: GeneratedTokens: not a whole number from 0 on: '-1'"),
        (TRACE.replace(",0,100", ""), "csv:3: ContextTokens: not a whole number"),
    ],
)
def test_a_trace_of_something_else(text: str, said: str, trace: Any) -> None:  # noqa: ANN401 - as above
    """The error names the line, the column and what is expected."""
    with pytest.raises(BadTrace, match=said):
        trace(text)
