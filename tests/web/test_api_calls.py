from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from switchgear.calls import Attribution

if TYPE_CHECKING:
    from tests.web.conftest import Place

ROW = [
    "id",
    "call_id",
    "attempt",
    "started_at",
    "service",
    "endpoint",
    "model",
    "job",
    "run",
    "layer",
    "key",
    "tags",
    "status",
    "refused_by",
    "http_status",
    "error",
    "streamed",
    "estimated",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "units",
    "reserved_usd",
    "cost_usd",
    "price_version",
    "waited_ms",
    "ttft_ms",
    "duration_ms",
    "trace_id",
    "span_id",
    "parent_span_id",
]


def _get(place: Place, address: str) -> dict[str, Any]:
    answer = place.client().get(address)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_row_has_exactly_the_promised_fields(full: Place) -> None:
    """Programs outside rely on these names."""
    assert list(_get(full, "/api/calls?limit=1")["items"][0]) == ROW


def test_money_is_text_times_are_utc_and_spans_are_milliseconds(place: Place) -> None:
    """No float touches money, not even a tiny amount."""
    pen = place.pen()
    pen.call(place.now - 1_500_000, cost=1, waited_us=800_000, ttft_us=310_000)
    pen.done()

    (row,) = _get(place, "/api/calls")["items"]

    assert (row["cost_usd"], row["reserved_usd"]) == ("0.000000001", "0.000000003")
    assert row["started_at"] == "2026-11-24T13:03:05.500000Z"
    assert (row["waited_ms"], row["ttft_ms"], row["duration_ms"]) == (800.0, 310.0, 2100.0)


def test_an_unpriced_call_has_no_cost(full: Place) -> None:
    """Unknown is null, never 0."""
    (row,) = _get(full, "/api/calls?model=gpt-6-mini-beta")["items"]

    assert row["cost_usd"] is None


def test_pages_join_without_gap_or_repetition(full: Place) -> None:
    """Following ``next`` gives every row once, newest first."""
    everything = [row["id"] for row in _get(full, "/api/calls?limit=500")["items"]]
    pieces: list[str] = []
    after = ""
    while True:
        page = _get(full, f"/api/calls?limit=37&after={after}")
        pieces += [row["id"] for row in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]

    assert pieces == everything
    assert len(pieces) == len(set(pieces)) > 100


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        ("service=anthropic", "service", "anthropic"),
        ("model=smollm2", "model", "smollm2"),
        ("job=beta-7", "job", "beta-7"),
        ("layer=cover-letter", "layer", "cover-letter"),
        ("status=failed", "status", "failed"),
        ("refused_by=breaker", "refused_by", "breaker"),
        ("outcome=refused-budget", "refused_by", "budget"),
        ("outcome=refused", "status", "refused"),
        ("outcome=in-flight", "status", "reserved"),
    ],
)
def test_a_filter_keeps_what_fits(full: Place, query: str, field: str, value: str) -> None:
    """Each filter gives rows, and only rows that fit it."""
    rows = _get(full, f"/api/calls?limit=500&{query}")["items"]

    assert {row[field] for row in rows} == {value}


def test_a_run_and_a_key_can_be_asked_for(place: Place) -> None:
    """Run and key are filters too."""
    pen = place.pen()
    pen.call(place.now, attribution=Attribution(run="r1", key="k1"))
    pen.call(place.now, attribution=Attribution(run="r2", key="k2"))
    pen.done()

    assert [row["key"] for row in _get(place, "/api/calls?run=r1")["items"]] == ["k1"]
    assert [row["run"] for row in _get(place, "/api/calls?key=k2")["items"]] == ["r2"]


def test_dates_are_whole_days_in_the_reporting_time_zone(place: Place) -> None:
    """``to`` a date includes that day, cut at midnight in Vienna."""
    pen = place.pen()
    midnight = place.now - (13 * 3600 + 3 * 60 + 7 + 3600) * 1_000_000
    for at in (midnight - 1, midnight, midnight + 1):
        pen.call(at)
    pen.done()

    assert len(_get(place, "/api/calls?from=2026-11-24&to=2026-11-24")["items"]) == 2
    assert len(_get(place, "/api/calls?to=2026-11-23")["items"]) == 1
    assert len(_get(place, "/api/calls?from=2026-11-23T23:00:00Z")["items"]) == 2
    assert len(_get(place, "/api/calls?to=2026-11-24T00:00:00%2B01:00")["items"]) == 1


@pytest.mark.parametrize(
    ("query", "key", "told"),
    [
        ("servce=openai", "servce", "service"),
        ("status=bad", "status", "orphaned"),
        ("outcome=no", "outcome", "refused-rate-limit"),
        ("refused_by=me", "refused_by", "rate_limit"),
        ("limit=0", "limit", "greater than or equal to 1"),
        ("limit=501", "limit", "less than or equal to 500"),
        ("limit=ten", "limit", "integer"),
        ("from=yesterday", "from", "2026-11-24"),
        ("to=0000-00-00", "to", "2026-11-24"),
        ("after=nonsense", "after", "next"),
        ("service=a&service=b", "service", "twice"),
        ("outcome=ok&status=failed", "outcome", "contradicts"),
        ("outcome=refused-budget&refused_by=breaker", "outcome", "contradicts"),
    ],
)
def test_a_wrong_query_is_refused_with_the_valid_ones(full: Place, query: str, key: str, told: str) -> None:
    """400 as problem+json, which names the key and what it may be."""
    answer = full.client().get(f"/api/calls?{query}")

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["key"] == key
    assert told in answer.json()["detail"]


def test_empty_values_are_not_filters(full: Place) -> None:
    """A form sends every field, the empty ones too."""
    assert len(_get(full, "/api/calls?service=&model=&from=")["items"]) == 50


def test_a_call_is_found_by_its_id_and_by_that_of_a_row(full: Place) -> None:
    """Both ids lead to the whole call, with all its attempts."""
    second = next(row for row in _get(full, "/api/calls")["items"] if row["attempt"] == 2)

    by_call = _get(full, f"/api/calls/{second['call_id']}")
    by_row = _get(full, f"/api/calls/{second['id']}")

    assert by_call == by_row
    assert [row["attempt"] for row in by_call["attempts"]] == [1, 2]


def test_a_refused_call_tells_the_decision(full: Place) -> None:
    """The deciding rule and its numbers are part of the call."""
    (row,) = _get(full, "/api/calls?outcome=refused-rate-limit")["items"]

    refusal = _get(full, f"/api/calls/{row['call_id']}")["refusal"]

    assert (refusal["rule"], refusal["limit"], refusal["used"]) == ("requests_per_minute", 60, 60)


@pytest.mark.parametrize("call_id", ["01NOTHING", "x-1", "-", "a%2Fb"])
def test_an_unknown_call_is_a_404(full: Place, call_id: str) -> None:
    """In the one shape of errors."""
    answer = full.client().get(f"/api/calls/{call_id}")

    assert (answer.status_code, answer.json()["status"]) == (404, 404)


def test_a_call_tells_the_story_of_its_admission(full: Place) -> None:
    """The rules asked, in order; the one that refused with its numbers."""
    items = full.client().get("/api/calls?refused_by=budget").json()["items"]
    story = full.client().get(f"/api/calls/{items[0]['call_id']}").json()["story"]
    assert [rule["verdict"] for rule in story] == ["pass", "pass", "pass", "refuse"]
    assert (story[3]["decides"], story[3]["limit"], story[3]["needed"]) == (True, "1", "0.03")


def test_the_page_of_a_call_has_the_story_as_a_table(full: Place) -> None:
    """People see the deciding rule, and what is not recorded."""
    items = full.client().get("/api/calls?refused_by=budget").json()["items"]
    page = full.client().get(f"/calls/{items[0]['call_id']}").text
    assert "the deciding rule" in page
    assert "numbers at that time are not recorded" in page


def test_a_nul_is_in_no_name(full: Place) -> None:
    """A query with a NUL is a 400 on every ledger, not an outage of one on PostgreSQL."""
    assert full.client().get("/api/calls?model=%00").status_code == 400
