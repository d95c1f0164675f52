from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest

from switchgear.calls import Outcome
from switchgear.insight.snapshot import MetricsCollector
from switchgear.policies.breaker import BreakerRule
from switchgear.policies.budget import BudgetRule
from switchgear.policies.limiter import LimitRule
from switchgear.state.base import Account, Admission, AdmissionRequest
from switchgear.state.memory import MemoryState, ServiceRules
from switchgear.web.app import create_app

if TYPE_CHECKING:
    from tests.web.conftest import Place, Views


def _text(place: Place, address: str) -> str:
    """Return the page's text as it is read, without tags and with single spaces."""
    answer = place.client().get(address, headers={"accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.text).replace("&#34;", '"'))


PAGES = [
    "/",
    "/calls",
    "/usage",
    "/services",
    "/services/openai",
    "/budgets",
    "/budgets/anthropic-month",
    "/budgets/job-default",
]


@pytest.mark.parametrize("address", PAGES)
def test_pages_answer_empty_and_full(empty: Place, full: Place, address: str) -> None:
    """Every page has an empty state and a full one, one main heading, and the time zone."""
    for place in (empty, full):
        answer = place.client().get(address)
        assert answer.status_code == 200
        assert answer.text.count("<h1") == 1
        assert "All times Europe/Vienna (UTC+1), now 14:03" in answer.text


def test_every_link_leads_somewhere(full: Place) -> None:
    """No page links to what does not exist."""
    client = full.client()
    seen: set[str] = set()
    for address in PAGES:
        links = re.findall(r'href="(/[^"]*)"', client.get(address).text)
        # Of the many calls one a page will do.
        seen.update(
            [link for link in links if "/calls/" not in link], [link for link in links if "/calls/" in link][:1]
        )

    for address in sorted(seen):
        assert client.get(address.replace("&amp;", "&"), follow_redirects=True).status_code == 200, address


def test_the_overview_says_state_and_reasons_in_words(full: Place) -> None:
    """The banner has the word and up to three reasons; services say what their state means."""
    text = _text(full, "/")

    assert "DEGRADED" in text
    assert "The breaker of firecrawl (not critical) has been open since 13:59." in text
    assert "and 2 more" in text
    assert "Closed - traffic flows" in text
    assert "Open - refusing calls, next probe in 41 s" in text
    assert "Probing - 1 of 3 trial calls" in text


def test_the_overview_tells_what_is_reserved_and_what_is_unpriced(full: Place) -> None:
    """Reserved is a figure of its own; unknown cost is told next to the sum."""
    text = _text(full, "/")

    assert "$41.50 spent · $2.12 reserved · $6.38 left of $50.00" in text
    assert "unpriced calls: 1" in text
    assert "unpriced calls: 3" in text
    assert "Hard limit" in text
    assert "Warn only" in text


def test_the_first_run_shows_what_to_copy(empty: Place) -> None:
    """An empty Switchgear says how to send the first call, to this very address."""
    text = _text(empty, "/")

    assert "Waiting for the first call" in text
    assert "export OPENAI_BASE_URL=http://127.0.0.1:8400/openai/v1" in text
    assert "export ANTHROPIC_BASE_URL=http://127.0.0.1:8400/anthropic" in text
    assert "switchgear demo" in text
    assert "$0.00" in text
    assert "no calls yet" in text


def test_calls_are_told_with_outcome_wait_and_cost(full: Place) -> None:
    """Refused calls say by what, estimates are marked, unknown cost is a word."""
    text = _text(full, "/calls")

    for words in (
        "Refused: rate limit",
        "Refused: breaker",
        "Refused: budget",
        "Skipped: budget",
        "In flight",
        "Cancelled",
    ):
        assert words in text
    assert "~$0.01" in text
    assert "unpriced" in text
    assert "+ 800 ms wait" in text


def test_filters_stay_in_the_form_and_can_be_taken_off(full: Place) -> None:
    """The address holds the filters, the form shows them, and each has a link without it."""
    text = full.client().get("/calls?service=openai&outcome=failed").text

    assert "<option selected>openai</option>" in text
    assert '<option value="failed" selected>Failed</option>' in text
    assert 'href="/calls?outcome=failed"' in text
    assert 'href="/calls?service=openai"' in text


def test_nothing_found_is_not_nothing_there(full: Place, empty: Place) -> None:
    """Filtered empty and first-run empty are different states."""
    assert "0 calls match" in _text(full, "/calls?job=nobody")
    assert "No calls yet" in _text(empty, "/calls")


def test_older_calls_are_a_link_away(full: Place) -> None:
    """Paging keeps the filters and ends."""
    client = full.client()
    seen = 0
    address: str | None = "/calls?limit=40&job=acme-42"
    while address:
        text = client.get(address).text
        seen += text.count('role="row" id="call-')
        found = re.search(r'href="([^"]+)" rel="next"', text)
        address = found[1].replace("&amp;", "&") if found else None

    assert seen == len(client.get("/api/calls?limit=500&job=acme-42").json()["items"]) > 40


def test_a_refused_call_tells_the_rule_and_its_numbers(full: Place) -> None:
    """Money in dollars, requests in requests, and that nothing was spent."""
    (row,) = full.client().get("/api/calls?outcome=refused-budget").json()["items"]

    text = _text(full, f"/calls/{row['call_id']}")

    assert "Refused: budget." in text
    assert "Nothing was sent, nothing was spent." in text
    assert re.search(r"Limit ?\$1\.00", text)
    assert re.search(r"Used ?\$0\.96", text)


def test_a_retried_call_tells_every_attempt(full: Place) -> None:
    """The story has each attempt with its answer, the wait and what was settled."""
    rows = full.client().get("/api/calls").json()["items"]
    second = next(row for row in rows if row["attempt"] == 2)

    text = _text(full, f"/calls/{second['call_id']}")

    assert "Attempt 1: Failed after 2.1 s with HTTP 529" in text
    assert "Attempt 2: Answered after 2.1 s with HTTP 200" in text
    assert "Waited 800 ms for a rate limit" in text
    assert "Settled at $0.0042 with prices of 2026-11-20" in text


def test_a_service_tells_why_its_breaker_changed(full: Place) -> None:
    """The history comes from the ledger's events."""
    text = _text(full, "/services/firecrawl")

    assert "and still: 3 failures in a row (threshold 3)" in text
    assert "1 call refused" in text


@pytest.mark.parametrize("address", ["/services/nothing", "/budgets/nothing"])
def test_an_unknown_name_lists_the_known_ones(full: Place, address: str) -> None:
    """404, for people as a page, for programs as a problem."""
    page = full.client().get(address, headers={"accept": "text/html"})
    problem = full.client().get(address)

    assert (page.status_code, problem.status_code) == (404, 404)
    assert "Known" in page.text
    assert problem.json()["valid"]


def test_without_services_the_pages_say_how_to_begin(place: Place) -> None:
    """Nothing configured is a state too."""
    bare = place.deps.config.model_copy(update={"services": {}, "budgets": ()})
    place.state.breaker_views = []
    deps = msgspec.structs.replace(place.deps, config=bare)
    lonely = msgspec.structs.replace(place, deps=deps, app=create_app(deps))

    assert "switchgear init" in _text(lonely, "/")
    assert "No services yet" in _text(lonely, "/services")
    assert "No budgets yet" in _text(lonely, "/budgets")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("forced_open", "Forced open - refusing calls until an operator closes it"),
        ("disabled", "Disabled - traffic flows unguarded"),
        ("open", "Open - refusing calls, the next one is a probe"),
    ],
)
def test_every_state_of_a_breaker_has_its_words(place: Place, views: type[Views], state: str, words: str) -> None:
    """A colour never stands alone."""
    place.state.breaker_views = [views.breaker("openai", state)]

    assert words in _text(place, "/services")


def test_pages_read_a_state_that_really_governs(place: Place) -> None:
    """Over a real MemoryState: what an admission holds is on the page, and gone when it is settled."""
    now = place.clock.moment()
    budget = BudgetRule(name="all", unit="usd", limit=1_000_000_000)
    limit = LimitRule(name="requests_per_minute", unit="requests", limit=10, window_us=60_000_000)
    rules = ServiceRules(limits=(limit,), breaker=BreakerRule())
    state = MemoryState(services={"openai": rules}, budgets=[budget], started=now)
    collector = MetricsCollector(place.ledger.reader, state, place.clock, config=place.deps.config)
    deps = msgspec.structs.replace(place.deps, collector=collector)
    real = msgspec.structs.replace(place, deps=deps, app=create_app(deps))
    request = AdmissionRequest(service="openai", tokens=10, cost=250_000_000, accounts=(Account("all"),), max_wait_us=0)

    admission = state.admit(request, now)
    assert isinstance(admission, Admission)
    held = _text(real, "/")
    state.settle(admission, Outcome(status="ok", verdict="success"), 100_000_000, now)
    settled = _text(real, "/")

    assert "$0.00 spent · $0.25 reserved · $0.75 left of $1.00" in held
    assert "1 / 10" in held
    assert "$0.10 spent · $0.00 reserved · $0.90 left of $1.00" in settled
    for address in ("/services", "/services/openai", "/budgets", "/calls", "/api/health", "/api/limits", "/metrics"):
        assert real.client().get(address).status_code == 200
