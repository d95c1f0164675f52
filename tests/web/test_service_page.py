from __future__ import annotations

import itertools
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec
import pytest
from starlette.testclient import TestClient
from tests.web.conftest import HOUR, MINUTE, NOW_US

from switchgear.errors import ConfigError, LedgerError
from switchgear.events import BreakerChanged
from switchgear.governor.breaker_desk import BreakerOrdered
from switchgear.insight.episodes import episodes_of, stretches_of
from switchgear.insight.strips import service_strips
from switchgear.policies.breaker import BreakerOrder
from switchgear.web.app import create_app

if TYPE_CHECKING:
    from tests.web.conftest import Place

    from switchgear.events import CircuitName


class _Desk:
    """Takes orders down."""

    def __init__(self) -> None:
        self.orders: list[BreakerOrdered] = []
        self.fails = False

    def set_breaker(self, service: str, order: BreakerOrder, *, by: str, note: str = "") -> BreakerOrdered:
        if self.fails:
            msg = "the disk is full"
            raise LedgerError(msg)
        if service == "nobody":
            msg = "there is no service 'nobody'"
            raise ConfigError(msg)
        done = BreakerOrdered(
            service=service, order=order, old="closed", new="forced_open", by=by, note=note, at=NOW_US
        )
        self.orders.append(done)
        return done


@pytest.fixture
def desk() -> _Desk:
    """Somebody who gives breakers orders."""
    return _Desk()


@pytest.fixture
def client(place: Place, desk: _Desk) -> TestClient:
    """A browser of a dashboard that may change something."""
    deps = msgspec.structs.replace(place.deps, commands=desk)
    return TestClient(create_app(deps), base_url="http://127.0.0.1:8400", follow_redirects=False)


def _change(place: Place, old: CircuitName, new: CircuitName, at: int, reason: str = "why") -> None:
    place.pen().event(BreakerChanged(service="openai", old=old, new=new, reason=reason, at=at))


def _text(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text).replace("&nbsp;", " "))


def test_the_form_gives_the_order(client: TestClient, desk: _Desk) -> None:
    """Order, reason and tick; then it is done, and the page says so."""
    assert 'action="/services/openai/breaker"' in client.get("/services/openai").text
    form = {"order": "open", "note": "their outage", "sure": "yes"}
    answer = client.post("/services/openai/breaker", data=form, headers={"origin": "http://127.0.0.1:8400"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/services/openai?done=1")
    [done] = desk.orders
    assert (done.service, done.order, done.by, done.note) == ("openai", "open", "dashboard", "their outage")
    assert "has its order" in client.get("/services/openai?done=1").text


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"order": "open", "note": "x"}, "Tick"),
        ({"order": "open", "sure": "yes"}, "say why"),
        ({"order": "shut", "note": "x", "sure": "yes"}, "none of open, close, reset"),
        ({"order": "open", "note": "x", "sure": "yes", "more": "1"}, "other fields"),
    ],
)
def test_half_a_form_does_nothing(client: TestClient, desk: _Desk, form: dict[str, str], said: str) -> None:
    """Without the tick, the reason or a known order nothing is done, and the answer says what is missing."""
    answer = client.post("/services/openai/breaker", data=form)
    assert answer.status_code == 400
    assert said in answer.text
    assert desk.orders == []


def test_the_api_gives_the_order(client: TestClient, desk: _Desk) -> None:
    """A program says who it is; what is wrong is a problem that says what."""
    body = {"order": "reset", "note": "clean start", "by": "ops-bot"}
    assert client.put("/api/breakers/openai", json=body).json()["by"] == "ops-bot"
    assert client.put("/api/breakers/nobody", json=body).status_code == 404
    wrong = client.put("/api/breakers/openai", json={**body, "order": "shut"})
    assert (wrong.status_code, wrong.json()["valid"]) == (400, ["open", "close", "reset"])
    desk.fails = True
    assert client.put("/api/breakers/openai", json=body).status_code == 503
    assert len(desk.orders) == 1


def test_who_only_reads_gives_no_orders(full: Place) -> None:
    """A dashboard beside the gateway has no form, and says so to whoever sends one."""
    client = full.client()
    assert "/breaker" not in client.get("/services/openai").text
    form = {"order": "open", "note": "x", "sure": "yes"}
    assert client.post("/services/openai/breaker", data=form).status_code == 403
    assert client.put("/api/breakers/openai", json={"order": "open", "note": "x"}).status_code == 403


def test_nobody_else_s_page_gives_orders(client: TestClient, desk: _Desk) -> None:
    """A form on another site changes nothing."""
    form = {"order": "open", "note": "x", "sure": "yes"}
    answer = client.post("/services/openai/breaker", data=form, headers={"origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert desk.orders == []


def test_an_episode_is_from_the_opening_to_the_closing(place: Place) -> None:
    """Openings in between belong to it; it has its reason, its last error, its refused calls, and what ended it."""
    pen = place.pen()
    pen.call(NOW_US - 51 * MINUTE, status="failed", error="HTTP 503: overloaded", http_status=503)
    pen.done()
    _change(place, "closed", "open", NOW_US - 50 * MINUTE, "5 failures in a row")
    _change(place, "open", "half_open", NOW_US - 48 * MINUTE)
    _change(place, "half_open", "open", NOW_US - 47 * MINUTE, "a trial call failed")
    for number in range(3):
        pen.refuse(NOW_US - 46 * MINUTE + number, "openai", "breaker", "breaker", "no")
    pen.refuse(NOW_US - 46 * MINUTE, "anthropic", "breaker", "breaker", "no")
    _change(place, "open", "half_open", NOW_US - 45 * MINUTE)
    _change(place, "half_open", "closed", NOW_US - 44 * MINUTE, "1 trial call succeeded")
    _change(place, "closed", "forced_open", NOW_US - 5 * MINUTE, "forced open by hand")
    pen.refuse(NOW_US - 4 * MINUTE, "openai", "breaker", "breaker", "no")
    pen.done()
    changes = place.ledger.reader.trail.about("breaker_changed", "openai", limit=100)
    still, over = episodes_of(place.ledger.reader, "openai", changes, now=NOW_US, most=5)
    assert (over.began, over.ended, over.openings, over.refused) == (
        NOW_US - 50 * MINUTE,
        NOW_US - 44 * MINUTE,
        2,
        3,
    )
    assert (over.reason, over.how) == ("5 failures in a row", "1 trial call succeeded")
    assert over.failure is not None
    assert over.failure.error == "HTTP 503: overloaded"
    assert (still.ended, still.forced, still.failure, still.refused) == (None, True, None, 1)
    text = _text(place.client().get("/services/openai").text)
    assert "for 6 min: 5 failures in a row 3 calls refused · opened 2 times" in text
    assert "and still: forced open by hand 1 call refused" in text


def test_the_states_of_a_day_have_no_gap(place: Place) -> None:
    """Stretches reach from the start to now, each begins where the one before ends, the newest is what is now."""
    _change(place, "closed", "open", NOW_US - 30 * HOUR)
    _change(place, "open", "half_open", NOW_US - 20 * HOUR)
    _change(place, "half_open", "closed", NOW_US - 19 * HOUR)
    changes = place.ledger.reader.trail.about("breaker_changed", "openai", limit=100)
    found = stretches_of(changes, since=NOW_US - 24 * HOUR, now=NOW_US, state="closed")
    assert [each.state for each in found] == ["open", "half_open", "closed"]
    assert (found[0].start, found[-1].end) == (NOW_US - 24 * HOUR, NOW_US)
    assert all(one.end == other.start for one, other in itertools.pairwise(found))
    assert stretches_of((), since=0, now=5, state="open")[0].end == 5


def test_the_strip_adds_up_to_the_ledger(full: Place) -> None:
    """Its quarters of an hour have what SQL over the attempts counts."""
    strips = service_strips(full.ledger.reader.usage, now=NOW_US)
    with closing(sqlite3.connect(full.file)) as connection:
        query = (
            "SELECT service, started_at / 900000000 * 900000000, count(*), sum(status = 'failed'),"
            " sum(status = 'refused') FROM attempts WHERE status <> 'reserved' AND started_at >= ? GROUP BY 1, 2"
        )
        start = strips["openai"][0].start
        counted = {(row[0], row[1]): tuple(row[2:]) for row in connection.execute(query, (start,))}
    found = {
        (service, slot.start): (slot.calls, slot.failed, slot.refused)
        for service, slots in strips.items()
        for slot in slots
        if slot.calls
    }
    assert found == counted
    assert len(strips["openai"]) == 96


def test_a_name_is_shown_as_text(place: Place) -> None:
    """What a provider says in an error can't become part of the page."""
    pen = place.pen()
    pen.call(NOW_US - MINUTE, status="failed", error="<script>alert(1)</script>", http_status=None)
    pen.done()
    text = place.client().get("/services/openai").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
