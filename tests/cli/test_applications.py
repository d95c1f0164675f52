from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobsmith.applications import Applications
from switchgear.clock import SystemClock
from switchgear.config import load

if TYPE_CHECKING:
    from tests.cli.conftest import Run

CONFIG = '[ledger]\nurl = "sqlite:///switchgear.db"\n[applications]\ngoals = { day = 4 }\n'
LIST = "job,role,company,status,applied_at\nacme-42,Engineer,Acme,applied,2026-11-20\nink-7,Writer,Ink,ready,\n"


@pytest.fixture(autouse=True)
def _records(here: Path) -> None:
    (here / "switchgear.toml").write_text(CONFIG, encoding="utf-8")
    (here / "list.csv").write_text(LIST, encoding="utf-8")


def test_a_list_is_taken_over_and_given_back(run: Run, here: Path) -> None:
    """Import, list, export: the same two, and importing again changes nothing."""
    result = run("applications", "import", "list.csv", "--dry-run")
    assert (result.code, result.err) == (0, "2 would be added, 0 would be changed, 0 as they were.\n")
    assert "No application is on record yet." in run("applications", "list").err
    assert run("applications", "import", "list.csv").err == "2 added, 0 changed, 0 as they were.\n"
    listed = run("applications", "list").out
    assert "applied  2026-11-20" in listed
    assert "Engineer, Acme" in listed
    assert len(run("applications", "export").out.splitlines()) == 3
    assert len(run("applications", "export", "--status", "ready").out.splitlines()) == 2
    again: dict[str, Any] = json.loads(run("applications", "import", "list.csv", "--json").out)
    assert again == {"added": 0, "changed": 0, "unchanged": 2}


def test_a_bad_file_is_told_line_by_line(run: Run, here: Path) -> None:
    """Nothing of it is taken, and the exit code is that of a mistake in use."""
    (here / "list.csv").write_text(LIST + "x,Cook,Soup,hired,\n", encoding="utf-8")
    result = run("applications", "import", "list.csv")
    assert result.code == 2
    assert "line 4: unknown status 'hired'" in result.err
    (here / "list.csv").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in run("applications", "import", "list.csv").err
    assert not (here / "applications.db").exists()


def test_a_status_is_set_and_its_undoing_told(run: Run) -> None:
    """What it was and is; a date that lies ahead is a mistake in use; the history has it all."""
    run("applications", "import", "list.csv")
    result = run("applications", "set", "ink-7", "applied", "--at", "2026-11-21", "--note", "by hand")
    assert "Writer, Ink: ready -> applied, sent 2026-11-21." in result.err
    assert "Undo: switchgear applications set ink-7 ready" in result.err
    assert "applied, which is of a later day" in run("applications", "set", "ink-7", "offer", "--at", "2026-11-20").err
    assert run("applications", "set", "ink-7", "applied", "--at", "2099-01-01").code == 2
    assert run("applications", "set", "nobody", "applied").code == 2
    run("applications", "note", "ink-7", "they called")
    run("applications", "edit", "ink-7", "--company", "Ink Ltd", "--address", "https://ink.example")
    shown = run("applications", "show", "ink-7").out
    for words in ("Ink Ltd", "by hand", "they called", "company: Ink -> Ink Ltd", "https://ink.example"):
        assert words in shown
    assert run("applications", "edit", "ink-7").code == 2


def test_json_is_what_the_api_answers(run: Run, here: Path) -> None:
    """The same fields, from the record itself."""
    from switchgear.insight.metrics import plain
    from switchgear.server.applications import plug_applications

    run("applications", "import", "list.csv")
    config = load(here / "switchgear.toml", environ={})
    desk = plug_applications(config, SystemClock())
    try:
        assert json.loads(run("applications", "show", "acme-42", "--json").out) == plain(desk.get("acme-42"))
        stats, theirs = json.loads(run("applications", "stats", "--json").out), plain(desk.stats())
        assert {**stats, "generated_at": ""} == {**theirs, "generated_at": ""}
    finally:
        desk.close()


def test_stats_in_words(run: Run, here: Path) -> None:
    """Numbers beside their goals, and those without a date."""
    with Applications.from_config(load(here / "switchgear.toml", environ={}), clock=SystemClock()) as applications:
        applications.record(job="new", role="Cook")
        applications.set_status("new", "applied", by="x")
        applications.record(job="old", role="Cook")
        applications.set_status("old", "rejected", by="x")
    out = run("applications", "stats").out

    assert "today           1 of 4 (25 %)" in out
    assert "total           2, 1 without a date" in out


def test_records_that_cant_be_read_are_told(run: Run, here: Path) -> None:
    """What is no database is named, with the exit code for a store that can't be reached."""
    (here / "applications.db").write_text("no database " * 200)
    result = run("applications", "list")
    assert result.code == 4
    assert "file is not a database" in result.err
