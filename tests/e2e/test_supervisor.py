"""A parent and its processes, with processes that do next to nothing: started, started again, told, ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.e2e

SCRIPT = """
import os, select, signal, sys
from switchgear.clock import SystemClock
from switchgear.errors import LedgerError
from switchgear.server.supervisor import Supervisor

how = sys.argv[1]

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def work(place):
    over = []
    signal.signal(signal.SIGTERM, lambda *_: over.append(1))
    signal.signal(signal.SIGHUP, lambda *_: say("told", place.number))
    if how == "broken" and place.number == 2:
        raise LedgerError("there is no ledger")
    say("pid", place.number, os.getpid())
    place.ready()
    while not over:
        if select.select([place.parent], [], [], 0.01)[0]:
            say("alone", place.number)
            return 0
    say("ended", place.number)
    return 3 if how == "fails" and place.number == 2 else 0

supervisor = Supervisor(
    2, work, reload=lambda: say("reload"), patience=lambda: 1.0, clock=SystemClock()
)
try:
    code = supervisor.run(lambda: say("ready"))
except LedgerError as error:
    say("error", error)
    code = 4
sys.exit(code)
"""


class Fleet:
    """A supervisor in a process of its own, and what it says line by line."""

    def __init__(self, how: str = "") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, how], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def lines(self, count: int) -> list[str]:
        return sorted(self.line() for _ in range(count))

    def pids(self) -> dict[int, int]:
        """Return the process of each number, after all have said it."""
        found = {int(number): int(pid) for _, number, pid in (self.line().split() for _ in range(2))}
        assert self.line() == "ready"
        return found

    def ended(self) -> tuple[int, list[str], str]:
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, sorted(out.split("\n")[:-1]), err


@pytest.fixture
def fleets() -> Iterator[list[Fleet]]:
    """Fleets that do not outlive the test."""
    found: list[Fleet] = []
    yield found
    for fleet in found:
        fleet.process.kill()
        fleet.process.communicate()


def _fleet(fleets: list[Fleet], how: str = "") -> Fleet:
    fleets.append(Fleet(how))
    return fleets[-1]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_to_the_parent_ends_all(number: signal.Signals, code: int, fleets: list[Fleet]) -> None:
    """Each process is told once, ends by itself, and the parent's exit code says what ended it."""
    fleet = _fleet(fleets)
    fleet.pids()
    fleet.process.send_signal(number)
    assert fleet.ended() == (code, ["ended 1", "ended 2"], "")


def test_a_process_that_does_not_end_well_is_told_by_the_exit_code(fleets: list[Fleet]) -> None:
    """One of two ends with a failure: the whole did."""
    fleet = _fleet(fleets, "fails")
    fleet.pids()
    fleet.process.send_signal(signal.SIGTERM)
    assert fleet.ended()[0] == 1


def test_a_killed_process_is_started_again_and_the_other_goes_on(fleets: list[Fleet]) -> None:
    """SIGKILL to one: another takes its place under its number, the log tells why, `ready` is not said again."""
    fleet = _fleet(fleets)
    pids = fleet.pids()
    subprocess.run(["kill", "-9", str(pids[2])], check=True)
    word, number, pid = fleet.line().split()
    assert (word, number) == ("pid", "2")
    assert int(pid) not in pids.values()
    fleet.process.send_signal(signal.SIGTERM)
    code, said, messages = fleet.ended()
    assert (code, said) == (0, ["ended 1", "ended 2"])
    assert messages == f"process 2 (pid {pids[2]}) was killed by signal 9; the next one begins in 0.1 s\n"


def test_a_process_that_keeps_dying_is_started_ever_more_slowly(fleets: list[Fleet]) -> None:
    """The pause doubles, so that a broken machine is not kept busy with it."""
    fleet = _fleet(fleets)
    pid = fleet.pids()[1]
    began = time.monotonic()
    for _ in range(3):
        subprocess.run(["kill", "-9", str(pid)], check=True)
        pid = int(fleet.line().split()[2])
    assert time.monotonic() - began >= 0.1 + 0.2 + 0.4
    fleet.process.send_signal(signal.SIGTERM)
    assert fleet.ended()[2].count("the next one begins in") == 3


def test_a_reload_is_passed_on_to_all(fleets: list[Fleet]) -> None:
    """The parent reads first, so that processes to come begin with it; then each process is told."""
    fleet = _fleet(fleets)
    fleet.pids()
    fleet.process.send_signal(signal.SIGHUP)
    assert fleet.line() == "reload"
    assert fleet.lines(2) == ["told 1", "told 2"]


def test_an_error_at_the_start_is_raised_once_and_nobody_is_left(fleets: list[Fleet]) -> None:
    """What the second process can't do ends the first one, and is the parent's error."""
    fleet = _fleet(fleets, "broken")
    code, said, messages = fleet.ended()
    assert (code, messages) == (4, "")
    assert [line for line in said if not line.startswith("pid")] == ["ended 1", "error there is no ledger"]


def test_nobody_outlives_a_parent_that_was_killed(fleets: list[Fleet]) -> None:
    """The pipe to the parent ends with it, however it ended."""
    fleet = _fleet(fleets)
    fleet.pids()
    fleet.process.kill()
    assert fleet.lines(2) == ["alone 1", "alone 2"]
