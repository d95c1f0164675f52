from __future__ import annotations

from pathlib import Path

from switchgear.calls import NO_USAGE, Usage
from switchgear.governor.running import Running
from switchgear.ledger import Ledger
from switchgear.testing import ManualClock

FIRST, SECOND = Usage(input_tokens=10, output_tokens=1), Usage(input_tokens=15, output_tokens=1)


def test_a_running_total_is_counted_once(tmp_path: Path) -> None:
    """However often somebody asks; and what comes on top is counted on top, of each service by itself."""
    clock = ManualClock(1_800_000_000.0)
    with Ledger.open(f"sqlite:///{tmp_path}/l.db", clock=clock) as ledger:
        running = Running(ledger, clock)

        assert running.rise("openai", "b", FIRST) == FIRST
        assert running.rise("openai", "b", FIRST) == NO_USAGE
        assert running.rise("openai", "b", SECOND) == Usage(input_tokens=5)
        assert running.rise("other", "b", FIRST) == FIRST


def test_it_goes_on_from_what_is_on_record(tmp_path: Path) -> None:
    """Another process, or this one after a new start, counts what is more than the audit trail has."""
    clock = ManualClock(1_800_000_000.0)
    with Ledger.open(f"sqlite:///{tmp_path}/l.db", clock=clock) as ledger:
        Running(ledger, clock).rise("openai", "b", FIRST)
    with Ledger.open(f"sqlite:///{tmp_path}/l.db", clock=clock) as ledger:
        assert Running(ledger, clock).rise("openai", "b", SECOND) == Usage(input_tokens=5)


def test_without_a_ledger_it_counts_anew(tmp_path: Path) -> None:
    """A ledger that can't be read or written is no reason to count less."""
    clock = ManualClock(1_800_000_000.0)
    ledger = Ledger.open(f"sqlite:///{tmp_path}/l.db", clock=clock)
    running = Running(ledger, clock)
    ledger.close()

    assert running.rise("openai", "b", FIRST) == FIRST
    assert running.rise("openai", "b", FIRST) == NO_USAGE
