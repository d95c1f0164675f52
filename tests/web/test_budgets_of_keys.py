from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest
from starlette.testclient import TestClient
from tests.web.conftest import NANO, NOW_US

from switchgear.calls import Attribution
from switchgear.events import BudgetChanged
from switchgear.web.app import create_app

if TYPE_CHECKING:
    from decimal import Decimal

    from tests.web.conftest import Place, Views


class _Desk:
    """Takes changes down."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, object]] = []

    def set_budget(
        self,
        name: str,
        *,
        limit_usd: Decimal | int | str | None = None,
        limit_tokens: int | None = None,
        by: str,
        note: str = "",
    ) -> BudgetChanged:
        self.changes.append((name, limit_usd if limit_tokens is None else limit_tokens))
        return BudgetChanged(budget=name, old=1, new=2, configured=1, unit="usd", by=by, note=note, at=NOW_US)


@pytest.fixture
def keyed(place: Place, views: type[Views]) -> Place:
    """One key with a budget of money, one of tokens, and a run under way."""
    pen = place.pen()
    pen.call(NOW_US - 1000, cost=700_000_000, attribution=Attribution(job="a", layer="fit", key="ci"))
    pen.call(NOW_US - 900, cost=100_000_000, attribution=Attribution(job="a", layer="fit", key="other"))
    pen.done()
    total = {"period": "total", "period_start": 0, "period_end": None}
    place.state.budget_views = [
        views.budget("key:bot", 5_000, 0, 100_000, unit="tokens", **total),
        views.budget("key:ci", 700_000_000, 0, 2 * NANO),
        views.budget("run:acme-7/fit", 0, 0, NANO, **total),
    ]
    return place


def _text(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text).replace("&nbsp;", " "))


def test_the_budget_of_a_key_has_its_page(keyed: Place) -> None:
    """It is listed, and its page has what is spent and what that went on: the calls with this key alone."""
    client = keyed.client()
    assert 'href="/budgets/key%3Aci"' in client.get("/budgets").text
    text = _text(client.get("/budgets/key:ci").text)
    assert "Spent $0.70 35 % of $2.00" in text
    assert "Matches key = ci" in text
    assert "fit 1 $0.70 100 %" in text


def test_the_budget_of_a_run_says_what_it_matches(keyed: Place) -> None:
    """Its page does not say that it counts every call."""
    text = _text(keyed.client().get("/budgets/run:acme-7%2Ffit").text)
    assert "Matches run = acme-7, layer = fit" in text
    assert "Change the limit" not in text


def test_the_limit_of_a_key_is_changed_in_its_unit(keyed: Place) -> None:
    """By the form and by the API; a budget of tokens takes tokens."""
    desk = _Desk()
    app = create_app(msgspec.structs.replace(keyed.deps, commands=desk))
    client = TestClient(app, base_url="http://127.0.0.1:8400", follow_redirects=False)
    assert 'action="/budgets/key%3Aci/limit"' in client.get("/budgets/key:ci").text
    form = {"limit": "80", "note": "more", "sure": "yes"}
    assert client.post("/budgets/key%3Aci/limit", data=form).headers["location"] == "/budgets/key%3Aci?changed=1"
    assert client.put("/api/budgets/key:bot/limit", json={"limit": "200000", "note": "more"}).status_code == 200
    assert [(name, str(limit)) for name, limit in desk.changes] == [("key:ci", "80"), ("key:bot", "200000")]


def test_an_unknown_one_lists_those_of_keys_too(keyed: Place) -> None:
    """A 404 names every budget that there is."""
    answer = keyed.client().get("/budgets/key:nobody")
    assert answer.status_code == 404
    assert {"anthropic-month", "key:ci", "key:bot"} <= set(answer.json()["valid"])


@pytest.mark.parametrize(("query", "status"), [("by=colour", 400), ("value=nobody", 404)])
def test_a_bad_view_lists_the_valid_ones(full: Place, query: str, status: int) -> None:
    """An unknown breakdown, or an unknown value of its each, is not answered with something else."""
    answer = full.client().get(f"/budgets/job-default?{query}")
    assert answer.status_code == status
    assert answer.json()["valid"] in (["layer", "model", "job"], ["acme-42", "beta-7"])
