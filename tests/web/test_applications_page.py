from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.web.job_records import Jobs

from jobsmith.applications import Applications
from switchgear.config import load_text
from switchgear.server.applications import PluggedApplications

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.web.conftest import Place


@pytest.fixture
def jobs(place: Place, tmp_path: Path) -> Iterator[Jobs]:
    """Four records behind the app."""
    made = Jobs(place, tmp_path)
    made.fill()
    yield made
    made.records.close()


def test_the_list_shows_each_with_its_status(place: Place, jobs: Jobs) -> None:
    """What it is for, how it stands, when it was sent, its fit and cost; nothing that a posting says is markup."""
    page = place.client().get("/applications").text

    assert "Engineer &lt;b&gt;" in page
    assert "<b>" not in page
    for words in ("Acme, Vienna", "24 Nov 2026", "date unknown", "unpriced", ">82<", "Rejected (1)"):
        assert words in page
    assert 'id="application-stats"' in page


def test_filters_narrow_the_list_and_can_be_taken_off(place: Place, jobs: Jobs) -> None:
    """The address holds them; nothing found is not nothing there."""
    client = place.client()
    page = client.get("/applications?status=applied&q=vien").text
    assert page.count('id="application-0') == 1
    assert 'href="/applications?q=vien"' in page
    assert '<option value="applied" selected>' in page
    assert "0 applications match" in client.get("/applications?q=nobody").text
    assert client.get("/applications?status=hired").status_code == 400
    assert client.get("/applications?after=x").status_code == 400


def test_pages_keep_the_filters(place: Place, jobs: Jobs) -> None:
    """Older ones are a link away."""
    client = place.client()
    first = client.get("/applications?status=drafted&limit=1").text
    assert 'href="/applications?status=drafted&amp;after=' in first


def test_one_application_has_its_whole_story(place: Place, jobs: Jobs) -> None:
    """History, runs with their cost, files, links to its posting and its calls."""
    page = place.client().get("/applications/acme-42").text

    for words in ("by mail", "ann", "run-1", "$0.01", "out/cv.pdf", "82 of 100", 'href="/calls?job=acme-42"'):
        assert words in page
    assert 'href="https://acme.example/jobs/42" rel="noopener noreferrer"' in page
    assert place.client().get("/applications/nobody").status_code == 404


def test_a_form_puts_a_status_on_record(place: Place, jobs: Jobs) -> None:
    """With its date and note, under the name of the dashboard; the page says so."""
    client = place.client()
    form = {"status": "interview", "at": "2026-11-24", "note": "with Ann"}
    answer = client.post("/applications/acme-42/status", data=form, follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (303, "/applications/acme-42?done=status")
    assert "The status is on record." in client.get(answer.headers["location"]).text
    entry = jobs.records.get("acme-42").history[-1]
    assert (entry.status, entry.text, entry.by) == ("interview", "with Ann", "dashboard")
    assert client.post("/applications/acme-42/status", data={**form, "at": "2027-01-01"}).status_code == 400
    assert client.post("/applications/nobody/status", data=form).status_code == 404


def test_notes_and_facts_are_changed_by_form(place: Place, jobs: Jobs) -> None:
    """A note is added; what is changed says what it was."""
    client = place.client()
    client.post("/applications/acme-42/notes", data={"text": "they called"})
    client.post(
        "/applications/acme-42/edit",
        data={"role": "Chief", "company": "Acme", "place": "", "url": "https://acme.example/jobs/42"},
    )
    found = jobs.records.get("acme-42")

    assert (found.role, found.place) == ("Chief", "")
    assert [entry.text for entry in found.history[-2:]] == [
        "they called",
        "role: Engineer <b> -> Chief\nplace: Vienna -> -",
    ]


def test_another_site_changes_nothing(place: Place, jobs: Jobs) -> None:
    """A form on somebody else's page is refused."""
    foreign = {"sec-fetch-site": "cross-site"}
    for address, form in (("status", {"status": "offer"}), ("notes", {"text": "x"}), ("edit", {"role": "x"})):
        answer = place.client().post(f"/applications/acme-42/{address}", data=form, headers=foreign)
        assert answer.status_code == 403
    assert jobs.records.get("acme-42").status == "applied"


def test_the_api_lists_pages_and_filters(place: Place, jobs: Jobs) -> None:
    """Keyset pages of the same records, and all of them as CSV."""
    client = place.client()
    seen: list[str] = []
    after = ""
    while True:
        body: dict[str, Any] = client.get(f"/api/applications?limit=3{after}").json()
        seen += [item["job"] for item in body["items"]]
        if body["next"] is None:
            break
        after = f"&after={body['next']}"
    assert sorted(seen) == ["acme-42", "circus", "ink-7", "soup-1"]
    assert [item["job"] for item in client.get("/api/applications?from=2026-11-24").json()["items"]] == ["acme-42"]
    csv = client.get("/api/applications?format=csv&status=applied")
    assert csv.headers["content-disposition"] == 'attachment; filename="applications-2026-11-24.csv"'
    assert len(csv.text.splitlines()) == 2


def test_the_api_tells_one_and_changes_it(place: Place, jobs: Jobs) -> None:
    """Times are RFC 3339 and money is text; a change answers with the record as it is now."""
    client = place.client()
    found: dict[str, Any] = client.get("/api/applications/acme-42").json()
    assert (found["cost_usd"], found["runs"][0]["cost_usd"]) == ("0.0123", "0.0123")
    assert found["applied_at"] == "2026-11-24T13:03:07Z"

    body = {"status": "interview", "note": "x", "by": "bob"}
    changed = client.post("/api/applications/acme-42/status", json=body).json()
    assert (changed["status"], changed["history"][-1]["by"]) == ("interview", "bob")
    assert client.post("/api/applications/acme-42/notes", json={"text": "y"}).json()["history"][-1]["text"] == "y"
    assert client.patch("/api/applications/acme-42", json={"place": "Graz"}).json()["place"] == "Graz"
    assert client.patch("/api/applications/acme-42", json={"colour": "red"}).status_code == 400
    assert client.post("/api/applications/acme-42/status", json={"status": "hired"}).status_code == 400
    assert client.get("/api/applications/nobody").status_code == 404


def test_the_stats_are_those_of_the_records(place: Place, jobs: Jobs) -> None:
    """By the day they were sent on, with goals; one without a date is in the total alone."""
    found: dict[str, Any] = place.client().get("/api/applications/stats").json()

    assert {key: found[key] for key in ("today", "week", "month", "total", "without_date", "streak_days")} == {
        "today": 1,
        "week": 1,
        "month": 1,
        "total": 2,
        "without_date": 1,
        "streak_days": 1,
    }
    assert found["goals"][0] == {"period": "day", "goal": 2, "count": 1, "percent": 50, "reached": False}
    assert (found["timezone"], found["periods"], found["source"]) == ("Europe/Vienna", "calendar", "sqlite")


def test_the_card_is_on_the_overview_when_there_are_records(place: Place, jobs: Jobs) -> None:
    """The same fragment, asked for again each minute."""
    client = place.client()
    page, part = client.get("/").text, client.get("/partials/application-stats").text

    assert 'hx-get="/partials/application-stats" hx-trigger="every 60s"' in page
    assert "1 to go of 2" in part
    assert "without a date: 1" in part
    assert part.strip() in page


def test_without_records_nothing_is_in_the_way(place: Place, tmp_path: Path) -> None:
    """No card; the page says how the first comes to be; the partial has words and not an error."""
    client = place.client()
    assert "application-stats" not in client.get("/").text
    assert client.get("/api/applications/stats").status_code == 503

    place.deps.applications = PluggedApplications(
        Applications.from_config(load_text(f'[ledger]\nurl = "sqlite:///{tmp_path}/x.db"\n'), clock=place.clock)
    )
    assert "application-stats" not in client.get("/").text
    assert "switchgear apply posting.md --cv cv.md" in client.get("/applications").text
    assert "No application is on record yet." in client.get("/partials/application-stats").text
    assert client.get("/api/applications/stats").json()["total"] == 0


def test_records_that_cant_be_read_leave_the_overview_alone(place: Place, tmp_path: Path) -> None:
    """The overview is there with why the card is not; the list answers 503."""
    (tmp_path / "applications.db").write_text("no database " * 200)
    jobs = Jobs(place, tmp_path)
    client = place.client()
    try:
        assert client.get("/").status_code == 200
        assert "not a database" in client.get("/").text
        assert client.get("/partials/application-stats").status_code == 200
        assert client.get("/applications").status_code == 503
        assert client.get("/api/applications").json()["status"] == 503
    finally:
        jobs.records.close()
