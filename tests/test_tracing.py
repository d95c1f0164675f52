from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear import tracing
from switchgear.calls import Attribution, new_call_id

walls = st.integers(0, (1 << 48) * 1000 - 1)


@given(walls, st.integers(1, 50))
def test_ids_of_a_call_follow_from_its_id(wall: int, attempt: int) -> None:
    """A call's trace id leads back to the call, and no attempt has the id of another one or of the call."""
    call_id = new_call_id(wall)

    assert tracing.call_id_of(tracing.call_trace(call_id)) == call_id
    spans = [tracing.call_span(call_id), *(tracing.attempt_span(call_id, number) for number in range(1, attempt + 1))]
    assert len(set(spans)) == len(spans)
    assert all(len(span) == 16 and int(span, 16) for span in spans)


@given(st.text())
def test_any_text_may_be_a_call_id(text: str) -> None:
    """Rows that another program made have ids too."""
    assert int(tracing.call_trace(text), 16) > 0
    assert int(tracing.call_span(text), 16) > 0


@given(st.text(), st.text(), st.text(), st.text())
def test_layers_of_other_runs_are_other_spans(run: str, layer: str, other_run: str, other_layer: str) -> None:
    """The same names give the same ids everywhere; other names give others."""
    mine, theirs = tracing.layer_span(run, layer), tracing.layer_span(other_run, other_layer)

    assert (mine == theirs) == ((run, layer) == (other_run, other_layer))
    assert tracing.run_span(run) != mine


def test_a_call_stands_below_its_layer_or_else_its_run() -> None:
    """Without a run there is no trace to stand in."""
    assert tracing.place(Attribution(run="r", layer="l")) == (tracing.run_trace("r"), tracing.layer_span("r", "l"))
    assert tracing.place(Attribution(run="r")) == (tracing.run_trace("r"), tracing.run_span("r"))
    assert tracing.place(Attribution(layer="l")) == (None, None)


TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (f"00-{TRACE}-{SPAN}-01", (TRACE, SPAN)),
        (f" 01-{TRACE}-{SPAN}-00-more ", (TRACE, SPAN)),
        (f"ff-{TRACE}-{SPAN}-01", (None, None)),
        (f"00-{'0' * 32}-{SPAN}-01", (None, None)),
        (f"00-{TRACE}-{'0' * 16}-01", (None, None)),
        (f"00-{TRACE.upper()}-{SPAN}-01", (None, None)),
        (f"00-{TRACE}-{SPAN}", (None, None)),
        ("", (None, None)),
        (None, (None, None)),
    ],
)
def test_a_traceparent_is_read_as_the_standard_says(header: str | None, found: tuple[str | None, str | None]) -> None:
    """Version ff, ids of zeros and capital letters are not valid; a later version may say more."""
    assert tracing.parsed(header) == found


@given(walls)
def test_what_is_written_is_read_again(wall: int) -> None:
    """The header for the next gateway says where the attempt stands."""
    call_id = new_call_id(wall)
    here = tracing.call_trace(call_id), tracing.attempt_span(call_id, 1)

    assert tracing.parsed(tracing.traceparent(*here)) == here


def test_the_span_of_opentelemetry_is_seen_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is imported for it, and an invalid span is none."""
    monkeypatch.delitem(sys.modules, "opentelemetry.trace", raising=False)
    assert tracing.running() == (None, None)

    context = SimpleNamespace(is_valid=True, trace_id=int(TRACE, 16), span_id=int(SPAN, 16))
    module = ModuleType("opentelemetry.trace")
    module.get_current_span = lambda: SimpleNamespace(get_span_context=lambda: context)  # type: ignore[attr-defined]  # a stand-in
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", module)
    assert tracing.running() == (TRACE, SPAN)

    context.is_valid = False
    assert tracing.running() == (None, None)
