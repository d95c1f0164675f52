from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.web.conftest import Place, Views

PARTIALS = ["service-health", "metrics-dashboard"]


@pytest.mark.parametrize("name", PARTIALS)
def test_a_partial_is_a_fragment_that_the_page_polls(full: Place, name: str) -> None:
    """Every 30 s, morphed into a stable outer element, and good without htmx' own headers."""
    client = full.client()
    fragment, page = client.get(f"/partials/{name}"), client.get("/").text

    assert fragment.status_code == 200
    assert "<html" not in fragment.text
    assert f'id="{name}" hx-get="/partials/{name}" hx-trigger="every 30s" hx-swap="innerMorph"' in page
    assert fragment.text.strip() in page


def test_errors_are_never_swapped_in(full: Place) -> None:
    """The page tells htmx to leave the last good content when the server fails."""
    assert '"noSwap": [204, 304, "4xx", "5xx"]' in full.client().get("/").text


def test_an_unhealthy_service_is_content_not_an_error(place: Place, views: type[Views]) -> None:
    """The partial answers 200 with the state in it."""
    place.state.breaker_views = [views.breaker("openai", "open")]

    answer = place.client().get("/partials/service-health")

    assert answer.status_code == 200
    assert "UNHEALTHY" in answer.text
    assert 'data-watch="openai breaker" data-state="Open"' in answer.text


def test_the_partial_sees_what_happened_since(place: Place) -> None:
    """The dashboard reads ledger and state, never a memory of its own."""
    client = place.client()
    before = client.get("/partials/metrics-dashboard").text
    pen = place.pen()
    pen.call(place.now, cost=1_230_000_000)
    pen.done()

    after = client.get("/partials/metrics-dashboard").text

    assert "Waiting for the first call" in before
    assert "Waiting for the first call" not in after
    assert "$1.23" in after
