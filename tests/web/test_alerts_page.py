from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from switchgear.alerts.desk import AlertDesk
from switchgear.config import load_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.web.conftest import Place, Views


@pytest.fixture
def desk(place: Place, views: Views) -> Iterator[AlertDesk]:
    """Put a desk behind the app; the breaker of openai is open."""
    config = load_text('[services.openai]\n[[alerts.channels]]\nname = "ops"\nurl = "http://127.0.0.1:9/hush"\n')
    place.state.breaker_views = [views.breaker("openai", "open"), views.breaker("local")]
    made = AlertDesk(
        config,
        collector=place.deps.collector,
        reader=place.ledger.reader,
        record=place.ledger.record,
        clock=place.clock,
        environ={},
        link="http://127.0.0.1:8400",
    )
    place.deps.alerts = made
    made.look()
    yield made
    made.close()


def test_the_page_shows_what_fires_and_the_rules(place: Place, desk: AlertDesk) -> None:
    """An alert is there with its link and what may be done, beside the rules and channels; no secret is."""
    page = place.client().get("/alerts").text

    assert "The breaker of openai is open." in page
    assert 'href="/services/openai"' in page
    assert "Nobody was told." in page
    assert "budget-forecast" in page
    assert "http://127.0.0.1:9/..." in page
    assert "hush" not in page
    assert "The breaker of openai is open." in place.client().get("/partials/alerts").text


def test_the_api_tells_alerts_by_state(place: Place, desk: AlertDesk) -> None:
    """What fires is one item, counted; nothing is pending."""
    client = place.client()
    found: dict[str, Any] = client.get("/api/alerts?state=firing").json()

    assert [item["key"] for item in found["items"]] == ["breaker-open{service=openai}"]
    assert (found["firing"], found["pending"]) == (1, 0)
    assert client.get("/api/alerts?state=pending").json()["items"] == []
    assert client.get("/api/alerts?state=loud").status_code == 400


def test_the_overview_says_how_many_fire(place: Place, desk: AlertDesk) -> None:
    """The banner leads to the alerts when there are any."""
    assert '<a href="/alerts">1 alert firing</a>' in place.client().get("/partials/service-health").text


def test_a_silence_is_made_and_ended_by_form_and_api(place: Place, desk: AlertDesk) -> None:
    """Both ways put it in force at once, on record and under a name."""
    client = place.client()
    form = {"matchers": "service=openai", "duration": "1h", "reason": "planned"}
    answer = client.post("/alerts/silences", data=form, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/alerts?done=silenced#silences")
    (silence,) = client.get("/api/alerts").json()["silences"]
    assert silence["active"]
    assert client.get("/api/alerts").json()["items"][0]["muted_by"] == f"silence {silence['id']}"
    assert client.delete(f"/api/alerts/silences/{silence['id']}").status_code == 200
    assert client.delete(f"/api/alerts/silences/{silence['id']}").status_code == 404
    body = {"matchers": {"rule": "error-rate"}, "duration": "30m", "reason": "x", "by": "ann"}
    assert client.post("/api/alerts/silences", json=body).json()["by"] == "ann"
    assert [event.kind for event in place.ledger.reader.events(kind="silence_changed", limit=9)] == [
        "silence_changed"
    ] * 3


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"matchers": {}, "duration": "1h", "reason": "x"}, "needs at least one matcher"),
        ({"matchers": {"colour": "red"}, "duration": "1h", "reason": "x"}, "known are rule, severity"),
        ({"matchers": {"rule": "x"}, "duration": "soon", "reason": "x"}, "duration"),
        ({"matchers": {"rule": "x"}, "duration": "1h", "reason": " "}, "reason"),
    ],
)
def test_what_is_no_silence_is_refused(place: Place, desk: AlertDesk, body: dict[str, Any], said: str) -> None:
    """A silence without matcher, known name, length or reason is a 400 that says which."""
    answer = place.client().post("/api/alerts/silences", json=body)

    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_an_alert_is_acknowledged(place: Place, desk: AlertDesk) -> None:
    """Who knows of it is shown; an alert that is not up can't be acknowledged."""
    client = place.client()
    key = "breaker-open{service=openai}"
    assert client.post("/alerts/ack", data={"key": key, "note": "on it"}, follow_redirects=False).status_code == 303

    assert client.get("/api/alerts").json()["items"][0]["acknowledged_by"] == "dashboard"
    assert client.post("/api/alerts/ack", json={"key": "no{such=one}"}).status_code == 404


def test_a_channel_that_does_not_answer_fails_its_test(place: Place, desk: AlertDesk) -> None:
    """A test message that does not arrive says so, without the address; an unknown channel is a 404."""
    client = place.client()
    answer = client.post("/api/alerts/channels/ops/test")

    assert answer.status_code == 503
    assert "ops could not be told: no answer" in answer.json()["detail"]
    assert "hush" not in answer.text
    assert client.post("/api/alerts/channels/nope/test").status_code == 404


def test_a_process_without_alerts_says_so(place: Place) -> None:
    """Where nobody looks after alerts the page says it, and the API is a 503."""
    client = place.client()

    assert "Nobody looks after alerts in this process" in client.get("/alerts").text
    assert client.get("/partials/alerts").status_code == 200
    assert client.get("/api/alerts").status_code == 503


def test_another_sites_page_can_silence_nothing(place: Place, desk: AlertDesk) -> None:
    """A form that another site's page sends is refused."""
    form = {"matchers": "service=openai", "duration": "1h", "reason": "x"}
    answer = place.client().post("/alerts/silences", data=form, headers={"sec-fetch-site": "cross-site"})

    assert answer.status_code == 403
