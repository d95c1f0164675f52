from __future__ import annotations

from collections.abc import Callable

import pytest

import switchgear as sg
from switchgear.calls import Call, Usage, new_call_id
from switchgear.clients.governor import Governor
from switchgear.errors import ConfigError, LedgerError
from switchgear.events import BreakerChanged, Event
from switchgear.ledger.commit import Commit
from switchgear.testing import ManualClock


def _call(governor: Governor) -> Call:
    return Call(
        id=new_call_id(governor.clock.moment().wall),
        service="llm",
        endpoint="/v1/chat/completions",
        model="m",
        bound=Usage(input_tokens=1, output_tokens=1),
    )


def test_an_order_holds_at_once_and_is_on_record(governor: Governor) -> None:
    """Callers are refused with the note, listeners hear of the change, the audit trail has who and why."""
    seen: list[Event] = []
    governor.bus.subscribe(seen.append)
    done = governor.set_breaker("llm", "open", by=" ada ", note="their outage")
    assert (done.old, done.new, done.by, done.note) == ("closed", "forced_open", "ada", "their outage")
    with pytest.raises(sg.BreakerOpen, match="their outage"):
        governor.admit(_call(governor))
    assert [type(event) for event in seen[:1]] == [BreakerChanged]
    changed, ordered = governor.ledger.reader.trail.page(limit=3).items[:2]
    assert (changed.kind, changed.what["new"]) == ("breaker_changed", "forced_open")
    assert (ordered.kind, ordered.subject) == ("breaker_ordered", "llm")
    assert ordered.what == {"actor": "ada", "reason": "their outage", "order": "open"}


def test_forced_open_holds_over_a_restart_and_closing_too(open_governor: Callable[[], Governor]) -> None:
    """What an operator has said is what the next process begins with."""
    open_governor().set_breaker("llm", "open", by="ada")
    again = open_governor()
    with pytest.raises(sg.BreakerOpen):
        again.admit(_call(again))
    again.set_breaker("llm", "close", by="ada")
    third = open_governor()
    third.admit(_call(third))


def test_what_is_no_order_changes_nothing(governor: Governor) -> None:
    """An unknown service lists the known ones; an unknown order and nobody's order are told."""
    with pytest.raises(ConfigError, match="free, llm, pages"):
        governor.set_breaker("nobody", "open", by="ada")
    with pytest.raises(ValueError, match="open, close or reset"):
        governor.set_breaker("llm", "shut", by="ada")  # type: ignore[arg-type]  # that is the test
    with pytest.raises(ValueError, match="can't be empty"):
        governor.set_breaker("llm", "open", by=" ")
    governor.admit(_call(governor))


def test_what_can_not_be_recorded_is_not_done(governor: Governor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an entry in the audit trail calls go on as before."""

    def fails(_self: Commit, _timeout: float | None = None) -> None:
        msg = "the disk is full"
        raise LedgerError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(Commit, "wait", fails)
        with pytest.raises(LedgerError):
            governor.set_breaker("llm", "open", by="ada")
    governor.admit(_call(governor))


def test_a_reset_is_on_record_though_nothing_changes(governor: Governor, clock: ManualClock) -> None:
    """An order to a closed breaker is an entry too."""
    clock.advance(1)
    done = governor.set_breaker("llm", "reset", by="ada", note="clean start")
    assert (done.old, done.new) == ("closed", "closed")
    assert governor.ledger.reader.trail.page(limit=1).items[0].kind == "breaker_ordered"
