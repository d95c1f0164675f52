from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest
from starlette.testclient import TestClient
from tests.web.conftest import DAY, HOUR, NANO, NOW_US

from switchgear.calls import Attribution
from switchgear.errors import LedgerError
from switchgear.events import BudgetChanged
from switchgear.web.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from tests.web.conftest import Place, Views


class _Desk:
    """Takes changes down."""

    def __init__(self) -> None:
        self.changes: list[BudgetChanged] = []
        self.fails = False

    def set_budget(
        self,
        name: str,
        *,
        limit_usd: Decimal | int | str | None = None,
        limit_tokens: int | None = None,
        by: str,
        note: str = "",
    ) -> BudgetChanged:
        if self.fails:
            msg = "the disk is full"
            raise LedgerError(msg)
        new = limit_tokens if limit_tokens is not None else int((limit_usd or 0) * NANO)
        change = BudgetChanged(budget=name, old=1, new=new, configured=1, unit="usd", by=by, note=note, at=NOW_US)
        self.changes.append(change)
        return change


@pytest.fixture
def desk() -> _Desk:
    """Somebody who changes limits."""
    return _Desk()


@pytest.fixture
def client(place: Place, desk: _Desk) -> TestClient:
    """A browser of a dashboard that may change something."""
    deps = msgspec.structs.replace(place.deps, commands=desk)
    return TestClient(create_app(deps), base_url="http://127.0.0.1:8400", follow_redirects=False)


def _text(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text).replace("\N{NO-BREAK SPACE}", " "))


@pytest.fixture(scope="module")
def spent(make_place: Callable[..., Place], views: type[Views]) -> Place:
    """Three weeks of the same spend every hour, $0.05: $0.86 of it today, Vienna time."""
    place = make_place(
        {
            "server": {"reporting_timezone": "Europe/Vienna"},
            "services": {"openai": {"kind": "openai"}},
            "budgets": [{"name": "day", "match": {"service": "openai"}, "limit_usd": "1", "period": "day"}],
        }
    )
    pen = place.pen()
    for hour in range(21 * 24):
        layer = "fit" if hour % 2 else None
        pen.call(NOW_US - hour * HOUR - 10 * 10**6, cost=50_000_000, attribution=Attribution(layer=layer))
    pen.done()
    midnight = NOW_US - (14 * HOUR + 3 * HOUR // 60 + 7 * 10**6)
    place.state.budget_views = [
        views.budget(
            "day", 750_000_000, 0, NANO, period="day", period_start=midnight, period_end=midnight + DAY, refused=2
        )
    ]
    return place


def test_a_budget_says_where_it_goes(spent: Place) -> None:
    """The page has what is spent, how fast, where it ends with its band, and when it runs out."""
    text = _text(spent.client().get("/budgets/day").text)
    assert "Spent $0.75 75 % of $1.00" in text
    assert "$0.05 an hour" in text
    assert re.search(r"At the end of the period \$1\.2\d \$1\.\d\d - \$1\.\d\d", text), text
    assert re.search(r"runs out: 24 Nov, 1[789]:\d\d", text), text
    assert "Periods before" in text
    assert "2026-11-23 $1.20" in text


def test_the_list_says_it_too(spent: Place) -> None:
    """The list has the forecast of each budget beside its bar, and as a part of a page it is complete."""
    for address in ("/budgets", "/partials/budget-monitor"):
        text = _text(spent.client().get(address).text)
        assert re.search(r"\$1\.2\d", text)
        assert re.search(r"24 Nov, 1[789]:\d\d", text)
        assert "Hard limit" in text


def test_what_it_went_on_adds_up(spent: Place) -> None:
    """By layer and by model the parts are of this period alone, and what is not said has a row."""
    text = _text(spent.client().get("/budgets/day").text)
    assert re.search(r"not said \d+ \$0\.\d\d 5\d(\.\d)? %", text), text
    assert "fit" in text
    assert "gpt-5-mini" in _text(spent.client().get("/budgets/day?by=model").text)


@pytest.mark.parametrize(
    ("limit", "said"), [("2", "would last to the end of the period"), ("1.1", "would last until 24 Nov, 2")]
)
def test_what_if(spent: Place, limit: str, said: str) -> None:
    """Another limit is answered with how long it would last, and nothing is changed."""
    assert said in _text(spent.client().get(f"/budgets/day?what_if={limit}").text)


def test_what_if_takes_amounts_only(spent: Place) -> None:
    """What is no amount is a 400 that shows one."""
    answer = spent.client().get("/budgets/day?what_if=much")
    assert answer.status_code == 400
    assert "such as 50 or 12.50" in answer.text


def test_a_limit_is_changed_with_a_reason(client: TestClient, desk: _Desk) -> None:
    """The form asks for the amount, the reason and a tick; then it is done, and the page is shown again."""
    form = {"limit": "$80", "note": "campaign", "sure": "yes"}
    answer = client.post("/budgets/anthropic-month/limit", data=form, headers={"origin": "http://127.0.0.1:8400"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/budgets/anthropic-month?changed=1")
    (change,) = desk.changes
    assert (change.budget, change.new, change.note, change.by) == (
        "anthropic-month",
        80 * NANO,
        "campaign",
        "dashboard",
    )
    assert "holds from now on" in client.get("/budgets/anthropic-month?changed=1").text


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"limit": "80", "note": "campaign"}, "Tick"),
        ({"limit": "80", "sure": "yes"}, "Say why"),
        ({"limit": "0", "note": "x", "sure": "yes"}, "not an amount above 0"),
        ({"limit": "nan", "note": "x", "sure": "yes"}, "not an amount above 0"),
        ({"limit": "0.0000000001", "note": "x", "sure": "yes"}, "not an amount above 0"),
        ({"limit": "80", "note": "x", "sure": "yes", "more": "1"}, "other fields"),
    ],
)
def test_half_a_form_changes_nothing(client: TestClient, desk: _Desk, form: dict[str, str], said: str) -> None:
    """Without the tick, the reason or an amount nothing is changed, and the answer says what is missing."""
    answer = client.post("/budgets/anthropic-month/limit", data=form)
    assert answer.status_code == 400
    assert said in answer.text
    assert desk.changes == []


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8400"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_site_changes_nothing(client: TestClient, desk: _Desk, headers: dict[str, str]) -> None:
    """A page of another site that posts the form, or the JSON, in a user's browser is refused."""
    form = {"limit": "80", "note": "campaign", "sure": "yes"}
    assert client.post("/budgets/anthropic-month/limit", data=form, headers=headers).status_code == 403
    body = {"limit": "80", "note": "campaign"}
    assert client.put("/api/budgets/anthropic-month/limit", json=body, headers=headers).status_code == 403
    assert desk.changes == []


def test_a_program_changes_a_limit(client: TestClient, desk: _Desk) -> None:
    """The API takes the limit as text in the budget's own unit, and answers what is on record."""
    answer = client.put("/api/budgets/all-tokens/limit", json={"limit": "3000000", "note": "more", "by": "ci"})
    assert answer.status_code == 200
    assert answer.json()["new"] == 3_000_000
    assert desk.changes[0].by == "ci"


@pytest.mark.parametrize(
    ("name", "body", "kind", "status"),
    [
        ("all-tokens", b'{"limit": "1.5", "note": "x"}', "application/json", 400),
        ("all-tokens", b'{"limit": 5, "note": "x"}', "application/json", 400),
        ("all-tokens", b'{"limit": "5", "note": "x", "colour": 1}', "application/json", 400),
        ("all-tokens", b"{", "application/json", 400),
        ("all-tokens", b"limit=5", "application/x-www-form-urlencoded", 415),
        ("all-tokens", b'{"note": "' + b"x" * 70_000, "application/json", 413),
    ],
)
def test_a_bad_body_changes_nothing(
    client: TestClient, desk: _Desk, name: str, body: bytes, kind: str, status: int
) -> None:
    """A body of another kind, size or shape is refused with what is valid."""
    answer = client.put(f"/api/budgets/{name}/limit", content=body, headers={"content-type": kind})
    assert answer.status_code == status
    assert desk.changes == []


def test_a_change_that_cannot_be_recorded_is_not_made(client: TestClient, desk: _Desk) -> None:
    """When the ledger can't be written the answer is 503 and says so."""
    desk.fails = True
    answer = client.put("/api/budgets/all-tokens/limit", json={"limit": "5", "note": "x"})
    assert answer.status_code == 503
    assert "was not made" in answer.json()["detail"]


def test_a_dashboard_that_only_reads_has_no_form(place: Place) -> None:
    """Beside the gateway the page has no form, and a change is answered with where to make it."""
    client = place.client()
    assert "Change the limit" not in client.get("/budgets/anthropic-month").text
    assert client.put("/api/budgets/all-tokens/limit", json={"limit": "5", "note": "x"}).status_code == 403
