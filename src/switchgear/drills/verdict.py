"""What a drill finds: figures against thresholds that were stated before, and what they come to."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

__all__ = ["VERSION", "Bound", "Check", "Report", "Result", "Status"]

VERSION: Final = 1
"""Of the JSON form; a change that readers would notice raises it."""

_HUNDRED: Final = 100

Status = Literal["passed", "failed", "not_run"]
Bound = Literal["exactly", "at most", "at least"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One figure against its threshold.

    Attributes:
        what: what was measured, as a sentence without an end.
        measured: the figure; None: there was nothing to measure, which never passes.
        bound: how *measured* must stand to *wanted*.
        unit: of both.
    """

    what: str
    measured: float | None
    bound: Bound
    wanted: float
    unit: str = ""

    @property
    def passed(self) -> bool:
        """Whether the figure keeps to its threshold."""
        if self.measured is None:
            return False
        if self.bound == "exactly":
            return self.measured == self.wanted
        return self.measured <= self.wanted if self.bound == "at most" else self.measured >= self.wanted

    @property
    def threshold(self) -> str:
        """The threshold in words, such as ``at most 5 calls``."""
        return f"{self.bound} {_spoken(self.wanted, self.unit)}"

    @property
    def figure(self) -> str:
        """What was measured in words; ``nothing`` where there was nothing."""
        return "nothing" if self.measured is None else _spoken(self.measured, self.unit)

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {**msgspec.structs.asdict(self), "passed": self.passed}


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one scenario came to.

    Attributes:
        status: ``passed`` only if every check did; ``not_run`` is no pass.
        reason: why it was not run, or what broke it off; None where its checks tell all.
    """

    scenario: str
    title: str
    status: Status
    checks: tuple[Check, ...] = ()
    reason: str | None = None
    seconds: float = 0.0

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {**msgspec.structs.asdict(self), "checks": [check.to_dict() for check in self.checks]}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a round of drills came to.

    Attributes:
        at: when it began, RFC 3339.
        against: the gateway that was drilled; None: servers of the drill's own.
        quick: with fewer calls and shorter waits.
    """

    at: str
    version: str
    python: str
    machine: str
    quick: bool
    against: str | None
    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """Whether every scenario ran and passed, and there was one."""
        return bool(self.results) and all(result.status == "passed" for result in self.results)

    def count(self, status: Status) -> int:
        """Return how many scenarios came to *status*."""
        return sum(result.status == status for result in self.results)

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON, with the version of its form first."""
        return {
            "format": VERSION,
            "passed": self.passed,
            **msgspec.structs.asdict(self),
            "results": [result.to_dict() for result in self.results],
        }


def _spoken(value: float, unit: str) -> str:
    """Return *value* without noise: whole numbers whole, money to the last nano-USD, others with three digits."""
    if unit == "USD":
        return f"${value:.9f}".rstrip("0").rstrip(".")
    if value == round(value):
        text = f"{round(value):,}"
    else:
        text = f"{value:.1f}" if abs(value) >= _HUNDRED else f"{value:.3g}"
    return f"{text} {unit}".rstrip()
