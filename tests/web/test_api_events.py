from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from fastapi.testclient import TestClient

from switchgear.errors import LedgerError
from switchgear.events import BreakerChanged, BudgetChanged
from switchgear.ledger.rows import Entry
from switchgear.ledger.trail import KINDS
from switchgear.web import event_stream
from switchgear.web.app import create_app

if TYPE_CHECKING:
    from tests.web.conftest import Place

    from switchgear.ledger import Ledger

AT = 1_795_525_200_000_000


def write(ledger: Ledger, count: int) -> None:
    """Write *count* entries."""
    for number in range(count):
        what = {"actor": f"user-{number}", "pid": number}
        ledger.record(Entry(kind="process_started", subject=f"process {number}", at=AT, what=what)).wait()


def stream(place: Place, *, turns: int, query: str = "", headers: dict[str, str] | None = None) -> str:
    """Return what a stream sends until it has looked *turns* times."""
    looked: list[None] = []

    def stopping() -> bool:
        looked.append(None)
        return len(looked) > turns

    app = create_app(msgspec.structs.replace(place.deps, ending=stopping))
    client = TestClient(app, base_url="http://127.0.0.1:8400")
    answer = client.get(f"/api/events{query}", headers={"accept": "text/event-stream", **(headers or {})})
    return answer.text


def test_entries_say_who_and_why(place: Place) -> None:
    """Newest first, with money in USD, instants as RFC 3339, and a reason even where nobody gave one."""
    place.ledger.record(
        BreakerChanged(service="openai", old="closed", new="open", reason="5 failures", at=AT, until=AT)
    )
    change = BudgetChanged(
        budget="b", old=10**9, new=2 * 10**9, configured=10**9, unit="usd", by="ada", note="a launch", at=AT
    )
    place.ledger.record(change)
    write(place.ledger, 1)

    items: list[dict[str, Any]] = place.client().get("/api/events").json()["items"]

    assert [(item["kind"], item["subject"], item["actor"], item["reason"]) for item in items] == [
        ("process_started", "process 0", "user-0", KINDS["process_started"]),
        ("budget_changed", "b", "ada", "a launch"),
        ("breaker_changed", "openai", "switchgear", "5 failures"),
    ]
    assert items[0]["at"] == "2026-11-24T13:00:00Z"
    assert items[1]["what"] == {
        "budget": "b",
        "old_usd": "1",
        "new_usd": "2",
        "configured_usd": "1",
        "unit": "usd",
    }
    assert items[2]["what"]["until"] == "2026-11-24T13:00:00Z"


def test_pages_skip_and_repeat_nothing(place: Place) -> None:
    """The next page goes on where the last ended, whatever was added meanwhile."""
    write(place.ledger, 5)
    client = place.client()
    first = client.get("/api/events?limit=2&kind=process_started").json()
    write(place.ledger, 1)
    second = client.get(f"/api/events?limit=10&after={first['next']}").json()

    subjects = [item["subject"] for item in first["items"] + second["items"]]
    assert subjects == [f"process {number}" for number in (4, 3, 2, 1, 0)]
    assert second["next"] is None


def test_csv_is_the_same_page(place: Place) -> None:
    """As a file of its own, or by its format."""
    write(place.ledger, 2)
    client = place.client()
    answer = client.get("/api/events.csv?limit=1")

    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text == client.get("/api/events?format=csv&limit=1").text
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert (row["kind"], row["actor"], json.loads(row["what"])) == ("process_started", "user-1", {"pid": 1})


@pytest.mark.parametrize(
    ("query", "key"),
    [("kind=nonsense", "kind"), ("after=x", "after"), ("from=x", "from"), ("limit=0", "limit"), ("sort=at", "sort")],
)
def test_a_bad_question_is_told_what_is_valid(place: Place, query: str, key: str) -> None:
    """A 400 names the key; that of a kind lists all kinds."""
    answer = place.client().get(f"/api/events?{query}")

    assert (answer.status_code, answer.json()["key"]) == (400, key)
    if key == "kind":
        assert answer.json()["valid"] == sorted(KINDS)


def test_a_range_of_time(place: Place) -> None:
    """Days are those of the reporting time zone; the end of a range is a whole day."""
    write(place.ledger, 1)
    client = place.client()

    assert len(client.get("/api/events?from=2026-11-24&to=2026-11-24").json()["items"]) == 1
    assert client.get("/api/events?from=2026-11-25").json()["items"] == []


def test_a_stream_goes_on_after_the_last_id(place: Place) -> None:
    """With Last-Event-ID nothing is missing, however many there are; a kind is kept to."""
    write(place.ledger, 250)
    place.ledger.record(BreakerChanged(service="s", old="closed", new="open", reason="why", at=AT)).wait()
    text = stream(place, turns=4, query="?kind=process_started", headers={"last-event-id": "10"})

    ids = [int(line[4:]) for line in text.splitlines() if line.startswith("id: ")]
    assert ids == list(range(10, 251))
    data = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert data[-1]["subject"] == "process 249"
    assert "event: process_started" in text


def test_a_stream_begins_now_and_says_that_it_is_alive(place: Place) -> None:
    """Without an id what was before is not sent; a quiet stream sends a comment every 15 seconds."""
    write(place.ledger, 3)
    text = stream(place, turns=70)

    assert text.startswith("retry: 2000\nid: 3\n\n")
    assert "data:" not in text
    assert text.count(": alive") == 2


def test_a_stream_outlives_a_ledger_that_can_not_be_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks again, and skips nothing."""
    write(place.ledger, 2)
    real = type(place.ledger.reader.trail).following
    failures = [LedgerError("unreadable")]

    def following(*args: Any, **keys: Any) -> Any:  # noqa: ANN401 - passed on
        if failures:
            raise failures.pop()
        return real(*args, **keys)

    monkeypatch.setattr(type(place.ledger.reader.trail), "following", following)
    assert stream(place, turns=3, headers={"last-event-id": "0"}).count("data:") == 2


def test_streams_are_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is told so, and a wrong id too."""
    accept = {"accept": "text/event-stream"}
    answer = place.client().get("/api/events", headers={**accept, "last-event-id": "x"})
    assert (answer.status_code, answer.json()["key"]) == (400, "Last-Event-ID")

    monkeypatch.setattr(event_stream, "_MOST", 0)
    answer = place.client().get("/api/events", headers=accept)
    assert answer.status_code == 503
    assert "are open already" in answer.json()["detail"]
