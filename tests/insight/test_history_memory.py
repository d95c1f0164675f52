from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec
import pytest

from switchgear.errors import LedgerError
from switchgear.insight import history_memory
from switchgear.insight.history_memory import HistoryMemory, UnderWay
from switchgear.insight.soon import Soon
from switchgear.ledger.usage_views import Steps

if TYPE_CHECKING:
    from collections.abc import Mapping

HOUR = 3_600_000_000
STEPS = Steps(since=0, until=100 * HOUR, size_us=HOUR)


class _Ledger:
    """Has used one in each hour, and notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.used = 1
        self.go = threading.Event()
        self.go.set()

    def history(
        self,
        steps: Steps,
        *,
        tokens: bool,
        match: Mapping[str, str],
        each: str | None = None,
    ) -> dict[str | None, dict[int, int]]:
        self.go.wait(10)
        self.asked.append((steps.since, steps.until))
        return {"a": dict.fromkeys(range(steps.since, steps.until, HOUR), self.used)}


def _memory(ledger: _Ledger) -> HistoryMemory:
    return HistoryMemory(ledger)  # type: ignore[arg-type]  # all that it asks for


def _ask(memory: HistoryMemory, steps: Steps) -> dict[str | None, dict[int, int]]:
    return memory.history(steps, tokens=False, match={}, each="job")


def test_only_what_has_come_since_is_read_again() -> None:
    """The second time some hours are read, and the answer is the whole stretch, without what has left it."""
    ledger = _Ledger()
    memory = _memory(ledger)
    assert len(_ask(memory, STEPS)["a"]) == 100
    ledger.used = 2
    later = msgspec.structs.replace(STEPS, since=HOUR, until=101 * HOUR)
    found = _ask(memory, later)["a"]
    assert ledger.asked[1] == (97 * HOUR, 101 * HOUR)
    assert sorted(found) == list(range(HOUR, 101 * HOUR, HOUR))
    assert [found[at * HOUR] for at in (96, 97, 100)] == [1, 2, 2]


def test_another_cut_is_read_as_a_whole() -> None:
    """What is remembered serves for the same question alone."""
    ledger = _Ledger()
    memory = _memory(ledger)
    _ask(memory, STEPS)
    _ask(memory, msgspec.structs.replace(STEPS, shift_us=1))
    _ask(memory, msgspec.structs.replace(STEPS, since=-HOUR))
    assert [one[0] for one in ledger.asked] == [0, 0, -HOUR]


def test_roll_ups_are_asked_directly() -> None:
    """What roll-ups know is quick: it is neither remembered nor made in the background."""
    ledger = _Ledger()
    memory = _memory(ledger)
    for _ in range(2):
        memory.history(STEPS, tokens=False, match={"service": "openai"})
    assert len(ledger.asked) == 2


def test_nobody_waits_for_a_long_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is under way until it is there; then it is the answer."""
    monkeypatch.setattr(history_memory, "Soon", lambda: Soon(0.001))
    ledger = _Ledger()
    ledger.go.clear()
    memory = _memory(ledger)
    for _ in range(3):
        with pytest.raises(UnderWay):
            _ask(memory, STEPS)
    ledger.go.set()
    found = None
    for _ in range(10_000):
        try:
            found = _ask(memory, STEPS)
        except UnderWay:
            continue
        break
    assert found is not None
    assert len(found["a"]) == 100
    assert ledger.asked == [(0, 100 * HOUR)]


def test_a_failure_is_told_and_then_it_is_tried_again() -> None:
    """Whoever asks hears of it; the next one starts anew."""
    soon = Soon(5)

    def fails() -> int:
        msg = "locked"
        raise LedgerError(msg)

    with pytest.raises(LedgerError):
        soon.get("x", fails)
    assert soon.get("x", lambda: 7) == 7
