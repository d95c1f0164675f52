from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.web.conftest import Place, Views


def test_a_healthy_answer_has_the_promised_shape(empty: Place) -> None:
    """Status, reasons, services, runner, time: as programs outside expect them."""
    answer = empty.client().get("/api/health")

    found = answer.json()
    assert answer.status_code == 200
    assert (found["status"], found["reasons"]) == ("healthy", [])
    assert found["runner"] == {
        "active_runs": 0,
        "max_concurrency": 3,
        "capacity_percent": 0,
        "queued": 0,
        "paused": 0,
        "oldest_wait_ms": None,
        "workers": 0,
    }
    assert found["generated_at"] == "2026-11-24T13:03:07Z"
    assert found["services"]["openai"]["text"] == "no calls yet"
    assert found["services"]["openai"]["critical"] is True


def test_degraded_is_still_200(full: Place) -> None:
    """An outage of one optional service takes nothing out of rotation."""
    answer = full.client().get("/api/health")

    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert "The breaker of firecrawl (not critical) has been open since 13:59." in answer.json()["reasons"]


def test_unhealthy_is_503_unless_told_otherwise(place: Place, views: type[Views]) -> None:
    """``strict=0`` reads the same answer as 200."""
    place.state.breaker_views = [views.breaker("openai", "open")]
    client = place.client()

    strict, lenient = client.get("/api/health"), client.get("/api/health?strict=0")

    assert (strict.status_code, lenient.status_code) == (503, 200)
    assert strict.json()["reasons"] == lenient.json()["reasons"]
    assert client.get("/api/health?strict=maybe").status_code == 400


def test_readiness_follows_the_ledger_and_liveness_nothing(place: Place, views: type[Views]) -> None:
    """An open breaker restarts no process; a ledger that fails takes it out of rotation."""
    place.state.breaker_views = [views.breaker("openai", "open")]
    client = place.client()
    ready = client.get("/readyz").status_code
    place.trouble.append("disk full")

    assert (ready, client.get("/readyz").status_code, client.get("/healthz").status_code) == (200, 503, 200)
    assert client.get("/api/health").json()["reasons"][0] == "The ledger fails: disk full."
