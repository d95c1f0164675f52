from __future__ import annotations

import json
from typing import TYPE_CHECKING

from switchgear.clients.governor import Governor
from switchgear.config import load_text
from switchgear.ledger.trail import KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


def test_the_trail_for_people(filled: Path, run: Run) -> None:
    """A line an entry, the newest first, with who and why."""
    result = run("ledger", "events")

    header, *lines = result.out.splitlines()
    assert (result.code, header.split()) == (0, ["TIME", "KIND", "ABOUT", "WHO", "WHY", "WHAT"])
    assert [line.split()[1] for line in lines][:1] == ["process_stopped"]
    assert "the first configuration on record" in result.out


def test_a_change_of_the_configuration_is_shown(filled: Path, run: Run) -> None:
    """Each key with what it was and what it is."""
    file = filled / "switchgear.toml"
    text = file.read_text(encoding="utf-8").replace("[ledger]", "[ledger]\nretention_days = 7")
    config = load_text(text, environ={})
    Governor(config).close()

    assert run("ledger", "events", "--kind", "sums_repaired").err == "0 events match.\n"
    shown = run("ledger", "events", "--kind", "config_changed", "--limit", "1").out
    assert "ledger.retention_days: 90 -> 7" in shown


def test_pages_and_json(filled: Path, run: Run) -> None:
    """The same as /api/events, and `next` goes on."""
    first = json.loads(run("ledger", "events", "--limit", "1", "--json").out)
    people = run("ledger", "events", "--limit", "1")
    second = json.loads(run("ledger", "events", "--after", first["next"], "--json").out)

    assert people.err == f"There are more: --after {first['next']}\n"
    ids = [item["id"] for item in first["items"] + second["items"]]
    assert ids == sorted(ids, reverse=True)
    assert ids[-1] == 1


def test_bad_options_say_what_is_valid(filled: Path, run: Run) -> None:
    """Exit code 2; an unknown kind lists all kinds."""
    unknown = run("ledger", "events", "--kind", "x")
    assert unknown.code == 2
    assert all(kind in unknown.err for kind in KINDS)
    for option, value in (("--since", "x"), ("--after", "x")):
        bad = run("ledger", "events", option, value)
        assert (bad.code, option in bad.err) == (2, True)
