from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from tests.jobsmith.applications.conftest import NOON, Desk, MakeDesk

from jobsmith.applications import Applications, ApplicationsError, BadApplication, NoSuchApplication, Wanted


def _record(desk: Desk, job: str = "acme-42", run: str = "r1", **more: object) -> None:
    said = {"role": "Engineer", "company": "Acme", "cost_usd": Decimal("0.012"), **more}
    desk.applications.record(job=job, run=run, **said)  # type: ignore[arg-type]  # as the test says


def test_a_run_makes_a_record_with_its_files_and_cost(desk: Desk) -> None:
    """Role, fit, cost, run and files are there, and the history begins."""
    made = desk.applications.record(
        job="acme-42",
        run="r1",
        status="ready",
        role="Engineer",
        company="Acme",
        url="https://acme.example/42",
        fit=82,
        cost_usd=Decimal("0.0123"),
        files={"cv": Path("out/cv.pdf"), "letter": "out/letter.pdf"},
    )

    assert (made.title, made.status, made.fit, made.cost_usd) == ("Engineer, Acme", "ready", 82, Decimal("0.0123"))
    assert [(file.name, file.path, file.run) for file in made.files] == [
        ("cv", "out/cv.pdf", "r1"),
        ("letter", "out/letter.pdf", "r1"),
    ]
    assert [(entry.status, entry.at, entry.by) for entry in made.history] == [("ready", NOON, "pipeline")]
    assert desk.applications.get("acme-42") == desk.applications.get(made.id) == made


def test_the_same_said_twice_counts_once(desk: Desk) -> None:
    """A run that is resumed says it again: one record, one run, its cost once, one line of history."""
    for _ in range(2):
        _record(desk, status="drafted")
    found = desk.applications.get("acme-42")

    assert (len(found.runs), found.cost_usd, len(found.history)) == (1, Decimal("0.012"), 1)
    assert len(desk.applications.page(Wanted()).items) == 1


def test_another_run_adds_its_cost_and_replaces_files(desk: Desk) -> None:
    """What two runs have cost is summed; a file is the newest run's, one that it did not write stays."""
    _record(desk, files={"cv": "1/cv.pdf", "dossier": "1/dossier.pdf"})
    _record(desk, run="r2", files={"cv": "2/cv.pdf"}, status="ready", fit=70)
    found = desk.applications.get("acme-42")

    assert (found.cost_usd, found.status, found.fit) == (Decimal("0.024"), "ready", 70)
    assert {file.name: (file.path, file.run) for file in found.files} == {
        "cv": ("2/cv.pdf", "r2"),
        "dossier": ("1/dossier.pdf", "r1"),
    }


def test_an_unknown_cost_is_never_zero(desk: Desk) -> None:
    """One run without a price makes the whole unpriced, until it says what it cost."""
    _record(desk)
    _record(desk, run="r2", cost_usd=None)
    assert desk.applications.get("acme-42").cost_usd is None

    _record(desk, run="r2", cost_usd=Decimal("0.5"))
    assert desk.applications.get("acme-42").cost_usd == Decimal("0.512")


@pytest.mark.parametrize("status", ["applied", "interview", "offer", "rejected", "withdrawn", "ready"])
def test_a_run_never_takes_a_status_back(desk: Desk, status: str) -> None:
    """Whatever somebody said of an application, a run that begins again changes nothing of it."""
    _record(desk, status="ready")
    before = desk.applications.set_status("acme-42", status, by="ann")
    _record(desk, run="r2", status="drafted")
    _record(desk, run="r2", status="ready")
    after = desk.applications.get("acme-42")

    assert (after.status, after.applied_at, after.history) == (status, before.applied_at, before.history)


def test_a_run_fills_in_and_people_have_the_last_word(desk: Desk) -> None:
    """What somebody has changed stays as it is when the job is run again; what is blank is filled."""
    _record(desk)
    desk.applications.edit("acme-42", by="ann", role="Chief Engineer")
    _record(desk, run="r2", place="Vienna")
    found = desk.applications.get("acme-42")

    assert (found.role, found.place) == ("Chief Engineer", "Vienna")
    assert [(entry.kind, entry.text, entry.by) for entry in found.history[1:]] == [
        ("edit", "role: Engineer -> Chief Engineer", "ann")
    ]


def test_applying_may_be_noted_later(desk: Desk) -> None:
    """It counts for the day it was sent on, be the record younger; that of a later status stays."""
    _record(desk, status="ready")
    found = desk.applications.set_status("acme-42", "applied", at="2026-11-20", by="ann", note="by mail")
    assert (found.status, found.applied_at) == ("applied", dt.datetime(2026, 11, 19, 23, tzinfo=dt.UTC))

    desk.applications.set_status("acme-42", "rejected", at="2026-11-23", by="ann")
    late = desk.applications.set_status("acme-42", "interview", at="2026-11-22", by="ann")
    assert (late.status, late.applied_at) == ("rejected", found.applied_at)
    assert [entry.status for entry in late.history] == ["applied", "interview", "rejected", "ready"]


def test_on_one_day_what_was_said_last_holds(desk: Desk) -> None:
    """A date without a time does not put a status before one that was noted on that day."""
    _record(desk, status="ready")
    desk.applications.set_status("acme-42", "applied", by="ann")
    assert desk.applications.set_status("acme-42", "interview", at="2026-11-24", by="ann").status == "interview"


def test_only_somebody_who_says_so_unapplies(desk: Desk) -> None:
    """A draft again: not sent after all, and then sent on another day."""
    _record(desk, status="ready")
    desk.applications.set_status("acme-42", "applied", at="2026-11-20", by="ann")
    undone = desk.applications.set_status("acme-42", "ready", by="ann", note="wrong row")
    assert (undone.status, undone.applied_at) == ("ready", None)

    again = desk.applications.set_status("acme-42", "applied", at="2026-11-21", by="ann")
    assert again.applied_at == dt.datetime(2026, 11, 20, 23, tzinfo=dt.UTC)
    assert len(again.history) == 4


def test_notes_keep_their_lines(desk: Desk) -> None:
    """A note is a line of the history, and does not change how the application stands."""
    _record(desk)
    found = desk.applications.note("acme-42", "  called Ann \nsalary: open  ", by="bob")
    assert (found.history[-1].kind, found.history[-1].text) == ("note", "called Ann\nsalary: open")
    assert found.status == "drafted"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda desk: desk.set_status("acme-42", "hired", by="x"), "unknown status 'hired'"),
        (lambda desk: desk.set_status("acme-42", "applied", at="2026-11-25", by="x"), "lies ahead"),
        (lambda desk: desk.set_status("acme-42", "applied", at="0001-01-01", by="x"), "before 1990"),
        (lambda desk: desk.set_status("acme-42", "applied", at="soon", by="x"), "not a date"),
        (lambda desk: desk.note("acme-42", " ", by="x"), "is empty"),
        (lambda desk: desk.note("acme-42", "bell\x07", by="x"), "can't be shown"),
        (lambda desk: desk.edit("acme-42", by="x", url="javascript:alert(1)"), "not a web address"),
        (lambda desk: desk.edit("acme-42", by="x", role="x" * 301), "300 is the most"),
        (lambda desk: desk.record(job="acme-42", fit=101), "not from 0 to 100"),
        (lambda desk: desk.record(job="acme-42", colour="red"), "unknown: colour"),
        (lambda desk: desk.record(job="  "), "job: is empty"),
        (lambda desk: desk.page(Wanted(), after="page two"), "is not the `next`"),
    ],
)
def test_what_makes_no_sense_changes_nothing(desk: Desk, change: Callable[[Applications], object], said: str) -> None:
    """Each mistake is told in a sentence, and the record is as it was."""
    _record(desk)
    before = desk.applications.get("acme-42")

    with pytest.raises(BadApplication, match=said):
        change(desk.applications)
    assert desk.applications.get("acme-42") == before


def test_what_is_not_there_is_told(desk: Desk) -> None:
    """Nothing is made of a name that nobody knows."""
    applications = desk.applications
    asked: tuple[Callable[[], object], ...] = (
        lambda: applications.get("nobody"),
        lambda: applications.set_status("nobody", "applied", by="x"),
        lambda: applications.note("nobody", "x", by="x"),
        lambda: applications.edit("nobody", by="x", role="y"),
    )
    for ask in asked:
        with pytest.raises(NoSuchApplication, match="no application 'nobody'"):
            ask()


def test_pages_have_each_record_once(desk: Desk) -> None:
    """From page to page every record comes once, the newest first; filters hold on each page."""
    for number in range(23):
        _record(desk, job=f"job-{number:02}", company="Acme" if number % 2 else "100%")
        desk.clock.advance(60 if number % 3 else 0)
    seen: list[str | None] = []
    after = None
    while True:
        page = desk.applications.page(Wanted(), limit=5, after=after)
        seen += [item.job for item in page.items]
        after = page.next
        if after is None:
            break

    assert sorted(filter(None, seen), reverse=True) == [f"job-{number:02}" for number in reversed(range(23))]
    assert len(seen) == len(set(seen))
    created = [item.created_at for item in desk.applications.page(Wanted()).items]
    assert created == sorted(created, reverse=True)
    assert len(desk.applications.page(Wanted(company="ACME")).items) == 11
    assert len(desk.applications.page(Wanted(text="0%")).items) == 12
    assert len(desk.applications.page(Wanted(text="job-2")).items) == 3


def test_lists_are_filtered_by_status_and_day(desk: Desk) -> None:
    """Those that stand so, and those that were sent from one day on and before another."""
    for day in (18, 19, 20):
        _record(desk, job=f"job-{day}", status="ready")
        desk.applications.set_status(f"job-{day}", "applied", at=f"2026-11-{day}", by="x")
    _record(desk, job="draft")
    since = int(dt.datetime(2026, 11, 18, 23, tzinfo=dt.UTC).timestamp()) * 1_000_000

    assert [one.job for one in desk.applications.page(Wanted(status="drafted")).items] == ["draft"]
    assert {one.job for one in desk.applications.page(Wanted(since=since)).items} == {"job-19", "job-20"}
    assert {one.job for one in desk.applications.page(Wanted(until=since)).items} == {"job-18"}
    assert desk.applications.statuses() == {"drafted": 1, "applied": 3}


def test_threads_that_record_one_job_make_one_record(desk: Desk) -> None:
    """Eight at once: one record, eight runs, the sum of their costs."""
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            _record(desk, run=f"r{number}", cost_usd=Decimal("0.001"))
            desk.applications.note("acme-42", f"note {number}", by="x")
        except Exception as error:  # noqa: BLE001 - told by the test
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = desk.applications.get("acme-42")

    assert errors == []
    assert (len(found.runs), found.cost_usd, len(found.history)) == (8, Decimal("0.008"), 9)


def test_reading_makes_no_file(make_desk: MakeDesk, tmp_path: Path) -> None:
    """Before the first record there is nothing, in words and on the disk; afterwards there is, seen at once."""
    desk, file = make_desk(), tmp_path / "applications.db"
    assert desk.applications.page(Wanted()).items == ()
    assert desk.applications.stats().total == 0
    assert (desk.applications.in_use, file.exists()) == (False, False)

    _record(desk)
    assert (desk.applications.in_use, file.exists()) == (True, True)


def test_a_record_outlives_the_process(make_desk: MakeDesk) -> None:
    """What is closed and opened again is the same."""
    first = make_desk()
    _record(first)
    first.applications.close()

    assert make_desk().applications.get("acme-42").role == "Engineer"


def test_a_newer_file_is_left_alone(make_desk: MakeDesk, tmp_path: Path) -> None:
    """Records of a later version are not touched: the error says what to do."""
    import sqlite3

    _record(make_desk())
    with sqlite3.connect(tmp_path / "applications.db") as connection:
        connection.execute("UPDATE application_schema SET version = 99")
    connection.close()

    with pytest.raises(ApplicationsError, match="use a newer one"):
        make_desk().applications.page(Wanted())


def test_what_is_no_database_is_told(make_desk: MakeDesk, tmp_path: Path) -> None:
    """A file of another kind, a folder that is missing, and a server that does not answer."""
    (tmp_path / "applications.db").write_text("not a database, by any means" * 100)
    with pytest.raises(ApplicationsError, match="not a database"):
        make_desk().applications.page(Wanted())
    with pytest.raises(ApplicationsError, match="folder does not exist"):
        _record(make_desk(f'[applications]\nurl = "sqlite:///{tmp_path}/no/such.db"\n'))
    with pytest.raises(ApplicationsError, match="postgresql") as caught:
        make_desk('[applications]\nurl = "postgresql://me:secret@127.0.0.1:9/jobs"\n').applications.page(Wanted())
    assert "secret" not in str(caught.value)


def test_goals_and_place_change_with_the_configuration(make_desk: MakeDesk, tmp_path: Path) -> None:
    """What is read anew is in force at once."""
    from switchgear.config import load_text

    desk = make_desk()
    _record(desk)
    desk.applications.adopt(
        load_text(f'[ledger]\nurl = "sqlite:///{tmp_path}/ledger.db"\n[applications]\ngoals = {{ day = 2 }}\n')
    )
    assert [goal.goal for goal in desk.applications.stats().goals] == [2]
    desk.applications.adopt(load_text(f'[applications]\nurl = "sqlite:///{tmp_path}/elsewhere.db"\n'))
    assert desk.applications.page(Wanted()).items == ()


def test_it_can_be_used_as_a_block(make_desk: MakeDesk) -> None:
    """The connections are let go of at its end, and opened again when it is used again."""
    desk = make_desk()
    with desk.applications as applications:
        assert isinstance(applications, Applications)
        _record(desk)
    assert desk.applications.get("acme-42").job == "acme-42"
