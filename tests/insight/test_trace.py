from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from switchgear.calls import CallStatus
from switchgear.insight.trace import trace_of
from switchgear.ledger.views import CallRow
from switchgear.money import to_usd
from switchgear.web.waterfall import lanes

START = 1_000_000_000_000
NONE = ("model", "job", "run", "layer", "key", "refused_by", "refusal", "http_status", "error", "price_version")
ZERO = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")


def row(call: int, attempt: int, status: CallStatus, at: int, waited: int, took: int, cost: int | None) -> CallRow:
    """Return a row of the ledger."""
    facts: dict[str, Any] = dict.fromkeys((*NONE, "reserved", "ttft_us", "trace_id", "span_id", "parent_span_id"))
    facts |= dict.fromkeys(ZERO, 1)
    return CallRow(
        **facts,
        id=f"{call}-{attempt}",
        call_id=str(call),
        attempt=attempt,
        started_at=START + at + waited,
        service="openai",
        endpoint="/v1",
        tags={},
        units={},
        status=status,
        streamed=False,
        estimated=False,
        cost=cost,
        waited_us=waited,
        duration_us=None if status in {"reserved", "refused"} else took,
    )


spans = st.integers(0, 10**9)
statuses: st.SearchStrategy[CallStatus] = st.sampled_from(("ok", "failed", "refused", "reserved", "cancelled"))
rows = st.lists(
    st.builds(row, st.integers(1, 5), st.integers(1, 3), statuses, spans, spans, spans, st.none() | spans),
    min_size=1,
    unique_by=lambda each: each.id,
)


@given(rows, spans)
def test_sums_are_those_of_the_rows(some: list[CallRow], now: int) -> None:
    """Money to the nano, tokens, and every attempt of every call once."""
    trace = trace_of("t", some, now=START + now)
    out = [each for each in some if each.status != "refused"]

    assert trace.cost_usd == to_usd(sum(each.cost or 0 for each in out))
    assert trace.input_tokens == len(out)
    assert sum(len(call.attempts) for call in trace.items) == len(some)
    assert trace.calls == len({each.call_id for each in some})
    assert trace.duration_ms >= 0


@given(rows, spans)
def test_everything_is_drawn_within_the_picture(some: list[CallRow], now: int) -> None:
    """No bar begins before 0 or ends after 100 per cent, and none is too small to be seen."""
    for lane in lanes(trace_of("t", some, now=START + now)):
        for piece in lane.pieces:
            assert 0 <= piece.x <= 100
            assert 0 <= piece.work_x <= 100
            assert piece.x + piece.wait <= 100.01
            assert piece.work is None or (piece.work >= 0.7 and piece.work_x + piece.work <= 100.01)


def test_a_call_counts_as_its_last_attempt_ended() -> None:
    """Failed, then answered: nothing failed. Its cost is known only if all of it is."""
    some = [row(1, 2, "ok", 5, 0, 5, 7), row(1, 1, "failed", 0, 0, 5, 0), row(2, 1, "ok", 9, 0, 1, None)]
    trace = trace_of("t", some, now=START)

    assert (trace.failed, trace.unpriced) == (0, 1)
    assert [call.cost_usd for call in trace.items] == [Decimal("0.000000007"), None]
