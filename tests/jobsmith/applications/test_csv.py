from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.jobsmith.applications.conftest import Desk, MakeDesk

from jobsmith.applications import BadApplication, Wanted

LIST = """\
role,company,status,applied_at,note
Engineer,Acme,applied,2026-11-20,by mail
Writer,"Ink, Ltd",rejected,2026-10-01,
Cook,Soup,interview,,
Clown,Circus,withdrawn,,
"""


def take(desk: Desk, text: str) -> tuple[int, int, int]:
    """Import *text*; return how many were added, changed and left."""
    found = desk.applications.import_csv(text, by="ann")
    return (found.added, found.changed, found.unchanged)


def export(desk: Desk) -> str:
    """Return everything as CSV."""
    return "".join(desk.applications.export_csv(Wanted()))


def test_a_list_of_ones_own_is_taken_over(desk: Desk) -> None:
    """Status, date and note are there, in the order of the file; what has no date is sent all the same."""
    assert take(desk, LIST) == (4, 0, 0)
    items = desk.applications.page(Wanted()).items
    stats = desk.applications.stats()

    assert [item.title for item in items] == ["Engineer, Acme", "Writer, Ink, Ltd", "Cook, Soup", "Clown, Circus"]
    assert (stats.week, stats.month, stats.total, stats.without_date) == (0, 1, 3, 1)
    assert [entry.text for entry in desk.applications.get(items[0].id).history] == ["", "by mail"]
    assert take(desk, LIST) == (0, 0, 4)


def test_what_is_exported_can_be_imported(make_desk: MakeDesk, desk: Desk, tmp_path: object) -> None:
    """Into an empty store it gives the same records; into the same one it changes nothing."""
    desk.applications.record(job="acme-42", run="r1", role="=2+3", company="-Acme", fit=80, cost_usd=Decimal("0.0123"))
    desk.applications.set_status("acme-42", "applied", at="2026-11-20T09:30:00+01:00", by="x")
    take(desk, LIST)
    text = export(desk)
    assert take(desk, text) == (0, 0, 5)

    other = make_desk(f'[applications]\nurl = "sqlite:///{tmp_path}/other.db"\n')
    assert take(other, text) == (5, 0, 0)
    again = list(csv.DictReader(io.StringIO(export(other))))
    for old, new in zip(csv.DictReader(io.StringIO(text)), again, strict=True):
        assert {**old, "created_at": "", "updated_at": ""} == {**new, "created_at": "", "updated_at": ""}


def test_an_older_file_unapplies_nothing(desk: Desk) -> None:
    """What was applied to since the export stays so; what the file knows better is taken."""
    desk.applications.record(job="acme-42", status="ready")
    old = export(desk)
    desk.applications.set_status("acme-42", "applied", by="ann")
    assert take(desk, old) == (0, 0, 1)
    assert desk.applications.get("acme-42").status == "applied"

    assert take(desk, "job,status,fit\nacme-42,offer,90\n") == (0, 1, 0)
    found = desk.applications.get("acme-42")
    assert (found.status, found.fit) == ("offer", 90)
    assert found.applied_at is not None


def test_a_date_that_was_missing_is_taken(desk: Desk) -> None:
    """Sent, nobody knows when; then a file does."""
    take(desk, "job,status,applied_at\nacme-42,applied,\n")
    assert desk.applications.stats().without_date == 1
    assert take(desk, "job,status,applied_at\nacme-42,applied,2026-11-20\n") == (0, 1, 0)
    assert desk.applications.stats().without_date == 0


def test_a_dry_run_says_and_changes_nothing(desk: Desk) -> None:
    """The same numbers, and not one record."""
    found = desk.applications.import_csv(LIST, by="ann", dry_run=True)

    assert (found.added, found.changed, found.unchanged) == (4, 0, 0)
    assert desk.applications.page(Wanted()).items == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the column status is missing"),
        ("role\nCook\n", "line 1: the column status is missing"),
        ("role,status,role\n", "line 1: a column is there twice"),
        ("role,status,colour\n", "line 1: unknown columns 'colour'; known are id, job"),
        ("role,status\nCook,hired\n", "line 2: unknown status 'hired'"),
        ("role,status\nCook\n", "line 2: has 1 cells, not 2"),
        ("role,status\n,applied\n", "line 2: says neither id, job, role nor company"),
        ("role,status,applied_at\nCook,applied,24/11/2026\n", "line 2: at: '24/11/2026' is not a date"),
        ("role,status,applied_at\nCook,applied,2027-01-01\n", "line 2: at: 2027-01-01 lies ahead"),
        ("role,status,applied_at\nCook,ready,2026-01-01\n", "line 2: has a date in applied_at, and the status ready"),
        ("role,status,fit\nCook,ready,best\n", "line 2: fit: 'best' is not from 0 to 100"),
        ("role,status,cost_usd\nCook,ready,-1\n", "line 2: cost_usd: '-1' is not an amount"),
        ("role,status,url\nCook,ready,ftp://x\n", "line 2: url: is not a web address"),
        ('role,status\n"Cook,ready\n', "is not CSV"),
        ("role,status\nCook,ready\n\x00\x01,ready\n", "line"),
    ],
)
def test_one_bad_row_and_nothing_is_taken(desk: Desk, text: str, said: str) -> None:
    """The row and what is wrong with it are told, and the good ones are not taken either."""
    with pytest.raises(BadApplication) as caught:
        take(desk, text)

    assert said in str(caught.value)
    assert desk.applications.page(Wanted()).items == ()


def test_every_bad_row_is_told_up_to_twenty(desk: Desk) -> None:
    """All mistakes at once, and an end to them."""
    with pytest.raises(BadApplication) as caught:
        take(desk, "role,status\n" + "Cook,hired\n" * 50)

    lines = str(caught.value).splitlines()
    assert (len(lines), lines[0], lines[-1]) == (
        21,
        "line 2: unknown status 'hired'; known are drafted, ready, applied, interview, offer, rejected, withdrawn",
        "and perhaps more",
    )


def test_blank_lines_and_a_mark_at_the_start_do_no_harm(desk: Desk) -> None:
    """As spreadsheets write it: with a byte order mark, capitals in the header, empty rows."""
    assert take(desk, "\ufeffRole, Status\r\nCook,Applied\r\n,\r\n\r\n") == (1, 0, 0)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(role=st.text(min_size=1, max_size=40), company=st.text(max_size=40))
def test_no_text_breaks_the_file(make_desk: MakeDesk, role: str, company: str) -> None:
    """Whatever a record says, the file has it in one row, begins no formula, and reads back as it was."""
    desk = make_desk('[applications]\nurl = "sqlite://"\n')
    try:
        kept = desk.applications.record(job="job", role=role, company=company)
    except BadApplication:
        return
    header, row = csv.reader(io.StringIO(export(desk)))
    cells = dict(zip(header, row, strict=True))

    assert not cells["role"].startswith(("=", "+", "-", "@"))
    assert take(desk, export(desk)) == (0, 0, 1)
    assert desk.applications.get("job").role == kept.role
