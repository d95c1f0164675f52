from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from switchgear.errors import LedgerError

if TYPE_CHECKING:
    from tests.web.conftest import Place


def test_an_unknown_address_is_a_problem(empty: Place) -> None:
    """404 in the one shape: type, title, status, detail."""
    answer = empty.client().get("/api/nothing")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing at /api/nothing.",
    }


def test_a_method_that_is_not_there_is_a_problem(empty: Place) -> None:
    """405 tells what is allowed."""
    answer = empty.client().post("/api/calls")

    assert (answer.status_code, answer.json()["status"], answer.headers["allow"]) == (405, 405, "GET")


def test_people_get_a_page(empty: Place) -> None:
    """A browser sees an error page, with the text escaped."""
    answer = empty.client().get("/calls/<b>x", headers={"accept": "text/html"})

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "&lt;b&gt;x" in answer.text
    assert "<b>x" not in answer.text


def test_a_ledger_that_cannot_be_read_is_a_503(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages, partials and API say so; health answers all the same."""

    def locked(*_: object, **__: object) -> None:
        msg = "database is locked"
        raise LedgerError(msg)

    monkeypatch.setattr(type(place.deps.reader), "totals", locked)
    client = place.client()

    for address in ("/", "/api/metrics", "/partials/service-health", "/metrics"):
        assert client.get(address).status_code == 503, address
    assert client.get("/api/health").json()["reasons"] == ["The ledger fails: database is locked."]


def test_a_bug_tells_nothing_of_itself(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 in the one shape, without the error's text, with the headers of every answer."""

    def broken(*_: object, **__: object) -> None:
        msg = "secret detail"
        raise RuntimeError(msg)

    monkeypatch.setattr(type(place.deps.reader), "totals", broken)

    answer = place.client(raising=False).get("/api/metrics")

    assert (answer.status_code, answer.json()["title"]) == (500, "Internal Server Error")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
