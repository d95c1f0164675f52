from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from tests.telemetry.conftest import SECOND, START, made, refused, settled

from switchgear.calls import new_call_id
from switchgear.events import BreakerChanged, CallRetried, CallSettled
from switchgear.telemetry.spans.facts import ServiceFacts
from switchgear.telemetry.spans.span import Span
from switchgear.telemetry.spans.tree import Tree
from switchgear.tracing import attempt_span, call_span, call_trace, layer_span, run_span, run_trace

SERVICES = {"llm": ServiceFacts(provider="openai", models=True, address="api.example.com", port=443)}


def tree(most: int = 1000) -> Tree:
    """Return a tree of one service."""
    return Tree(SERVICES, idle_us=60 * SECOND, most=most)


def by_kind(spans: list[Span]) -> dict[str, list[Span]]:
    """Return *spans* by their kind."""
    found: dict[str, list[Span]] = {"run": [], "layer": [], "call": [], "attempt": []}
    for span in spans:
        found[span.kind].append(span)
    return found


def test_a_call_of_a_layer_has_all_its_ancestors() -> None:
    """Attempt and call at once; layer and run when they have been idle; each below the one before."""
    one = tree()
    call = made("r", "research")
    spans = list(one.take(settled(call, waited=SECOND // 2)))

    assert [span.kind for span in spans] == ["attempt", "call"]
    assert list(one.tick(START + 59 * SECOND)) == []
    spans += one.tick(START + 60 * SECOND)
    assert [span.kind for span in spans] == ["attempt", "call", "layer", "run"]
    assert [span.parent for span in spans] == [call_span(call.id), layer_span("r", "research"), run_span("r"), None]
    assert {span.trace_id for span in spans} == {run_trace("r")}
    assert [(span.start, span.end) for span in spans[:2]] == [
        (START - SECOND, START),
        (START - 3 * SECOND // 2, START),
    ]
    assert [span.name for span in spans] == ["chat m", "llm /v1/chat/completions", "research", "r"]


def test_an_attempt_says_what_the_conventions_ask_for() -> None:
    """The GenAI names, and ours for cost, wait, decisions, breaker and reservation."""
    one = tree()
    list(one.take(BreakerChanged(service="llm", old="open", new="half_open", reason="time", at=START)))
    attempt = next(iter(one.take(settled(made(), waited=1500))))

    words = attempt.attributes
    assert words["gen_ai.operation.name"] == "chat"
    assert words["gen_ai.provider.name"] == "openai"
    assert (words["gen_ai.request.model"], words["gen_ai.response.model"]) == ("m", "m-1")
    assert (words["gen_ai.usage.input_tokens"], words["gen_ai.usage.output_tokens"]) == (10, 5)
    assert words["gen_ai.usage.reasoning.output_tokens"] == 2
    assert (words["server.address"], words["server.port"]) == ("api.example.com", 443)
    assert words["http.response.status_code"] == 200
    assert (words["switchgear.cost_usd"], words["switchgear.cost_nano_usd"]) == ("0.000001", 1000)
    assert words["switchgear.reserved_usd"] == "0.000002"
    assert words["switchgear.wait_ms"] == 1.5
    assert words["switchgear.breaker.state"] == "half_open"
    assert words["switchgear.decisions"] == [
        "limits: passed after 1.5 ms",
        "breaker: half_open",
        "budgets: passed, $0.000002 reserved",
    ]
    assert attempt.wire
    assert attempt.error is None


def test_an_unknown_price_is_not_zero() -> None:
    """The attempt says unpriced, and no cost."""
    attempt = next(iter(tree().take(settled(made(), cost=None))))

    assert attempt.attributes["switchgear.unpriced"] is True
    assert "switchgear.cost_usd" not in attempt.attributes


def test_a_retried_call_is_one_span_with_two_attempts() -> None:
    """It waits for the attempt that was announced, however long, and ends as that one did."""
    one = tree()
    first = made()
    spans = list(one.take(settled(first, status="failed", error="ReadTimeout", cost=0)))
    list(one.take(CallRetried(call=first, service="llm", pause_us=SECOND, at=START)))
    assert list(one.tick(START + 600 * SECOND)) == []
    spans += one.take(settled(made(call_id=first.id, attempt=2), at=START + 600 * SECOND))

    failed, again, call = spans
    assert (failed.error, failed.attributes["error.type"]) == ("ReadTimeout", "ReadTimeout")
    assert (call.error, call.attributes["switchgear.call.attempts"]) == (None, 2)
    assert {failed.parent, again.parent} == {call.span_id}
    assert (failed.span_id, again.span_id) == (attempt_span(first.id, 1), attempt_span(first.id, 2))
    assert [moment.name for moment in call.moments] == ["retried"]
    assert (call.start, call.end) == (START - SECOND, START + 600 * SECOND)


def test_a_failed_call_ends_when_no_attempt_is_announced() -> None:
    """A second later it is exported with its error's type."""
    one = tree()
    spans = list(one.take(settled(made(), status="failed", error="HTTP 503 overloaded_error")))
    assert [span.kind for span in spans] == ["attempt"]
    assert list(one.tick(START + SECOND - 1)) == []

    (call,) = one.tick(START + SECOND)
    assert (call.kind, call.error, call.message) == ("call", "503", "HTTP 503 overloaded_error")


def test_a_refused_call_says_which_rule_with_its_numbers() -> None:
    """There is no attempt: nothing left."""
    (call,) = tree().take(refused(made("r"), waited=SECOND))

    assert (call.kind, call.error) == ("call", "BudgetExceeded")
    words = call.attributes
    assert (words["switchgear.refused_by"], words["switchgear.rule"]) == ("budget", "acme")
    assert (words["switchgear.rule.limit"], words["switchgear.rule.used"]) == ("5", "4")
    assert (call.start, call.end) == (START - SECOND, START)
    assert [moment.name for moment in call.moments] == ["refused"]


def test_a_call_of_its_callers_trace_stays_there() -> None:
    """Its run is an attribute, and no span: the caller's own are above it."""
    one = tree()
    call = made("r", "l")
    other = {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "parent_span_id": "00f067aa0ba902b7"}
    theirs = type(call)(**{name: getattr(call, name) for name in call.__struct_fields__} | other)
    spans = [*one.take(settled(theirs)), *one.close()]

    assert [span.kind for span in spans] == ["attempt", "call"]
    assert spans[1].parent == other["parent_span_id"]
    assert {span.trace_id for span in spans} == {other["trace_id"]}
    assert spans[1].attributes["switchgear.run"] == "r"


def test_a_call_alone_is_a_trace_of_its_own() -> None:
    """Its trace id is its own id."""
    call = made()
    spans = list(tree().take(settled(call)))

    assert {span.trace_id for span in spans} == {call_trace(call.id)}
    assert spans[1].parent is None


calls = st.tuples(st.sampled_from([None, "r1", "r2"]), st.sampled_from([None, "a", "b"]), st.integers(0, 10**9))


@given(st.lists(calls, max_size=30), st.sampled_from([1, 1000]))
def test_cost_is_in_the_attempts_once_and_all_parents_come(
    some: list[tuple[str | None, str | None, int]], most: int
) -> None:
    """The sum over attempts is what was spent, whatever is cut short; every parent in a trace of ours is exported."""
    one = tree(most)
    spans: list[Span] = []
    for place, (run, layer, cost) in enumerate(some):
        event = settled(made(run, layer, call_id=new_call_id(START + place * 1000)), cost=cost, at=START + place)
        spans += one.take(event)
    spans += one.close()
    kinds = by_kind(spans)

    assert sum(span.cost or 0 for span in kinds["attempt"]) == sum(cost for _, _, cost in some)
    assert len(kinds["call"]) == len(some)
    if most == 1000:
        ids = {span.span_id for span in spans}
        assert all(span.parent is None or span.parent in ids for span in spans)
        totals = sum(Decimal(str(span.attributes["switchgear.run.cost_usd"])) for span in kinds["run"])
        assert totals == sum(Decimal(cost).scaleb(-9) for run, _, cost in some if run is not None)


def test_layers_beyond_the_bound_end_early_and_are_not_lost() -> None:
    """Of many runs at once each has its span, however few may be open."""
    one = tree(most=3)
    spans: list[Span] = []
    for number in range(10):
        spans += one.take(settled(made(f"r{number}"), at=START))
    spans += one.tick(START)
    spans += one.close()

    assert sorted(span.name for span in spans if span.kind == "run") == [f"r{number}" for number in range(10)]


def test_what_never_ends_is_bounded() -> None:
    """Calls that wait for another attempt are as many as were allowed; the oldest end early."""
    one = tree(most=3)
    ended: list[Span] = []
    for number in range(10):
        call = made(call_id=new_call_id(START + number * 1000))
        event: CallSettled = settled(call, status="failed", error="ConnectError")
        ended += [span for span in one.take(event) if span.kind == "call"]

    assert len(ended) == 7
