"""The scenarios, by name, in the order in which they are run."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchgear.drills.ground import Ground
    from switchgear.drills.verdict import Check

__all__ = ["SCENARIOS", "Scenario"]


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A drill: what happens, and what must come of it.

    Attributes:
        title: what goes wrong.
        promise: what is checked, in one sentence.
    """

    name: str
    title: str
    promise: str

    def run(self, ground: Ground) -> Iterable[Check]:
        """Do it on *ground* and yield what was measured.

        Raises:
            NotRunError: this machine lacks what it needs.
        """
        # Each scenario's module is imported when it is run: it may need what another does not.
        checks: Iterable[Check] = import_module(f"switchgear.drills.scenarios.{self.name}").run(ground)
        return checks


SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="outage",
            title="A provider is down",
            promise="the breaker opens within its threshold, refuses fast, probes one call at a time, and recovers",
        ),
        Scenario(
            name="brownout",
            title="A provider answers, but slowly",
            promise="slow calls open the breaker, other services keep their pace, and it closes when answers are fast",
        ),
        Scenario(
            name="storm",
            title="A provider answers 429 with Retry-After",
            promise="nobody calls before the time it named, and no herd follows after it",
        ),
        Scenario(
            name="limiter",
            title="More callers than limits let through",
            promise="no window ever holds more than its limit, everybody gets a fair share, and the limit is used",
        ),
        Scenario(
            name="budget",
            title="1,000 calls at once against one budget",
            promise="threads, processes and the gateway together never overspend it",
        ),
        Scenario(
            name="shared",
            title="1,000 calls at once from processes on one shared state",
            promise="together they overspend no budget and pass no limit",
        ),
        Scenario(
            name="accuracy",
            title="Traffic of every shape, with faults",
            promise="the ledger's calls, tokens and dollars equal the provider's own count",
        ),
        Scenario(
            name="crash",
            title="The gateway is killed under load",
            promise="no call is lost or counted twice, and nothing spent is forgotten",
        ),
        Scenario(
            name="streams",
            title="Streams stall, break off and end in errors",
            promise="clients are told in time, nothing is left open or held, and what was sent is paid for",
        ),
        Scenario(
            name="state",
            title="The shared state is lost and comes back empty",
            promise="nothing goes without it, and afterwards budgets know what was spent",
        ),
        Scenario(
            name="disk",
            title="The disk is full",
            promise="nothing goes out unrecorded, what was under way is settled, and no restart is needed",
        ),
        Scenario(
            name="clock",
            title="The machine's wall clock jumps",
            promise="limits, breakers and budgets go by the time that passed, not by what the clock says",
        ),
        Scenario(
            name="restart",
            title="The gateway is restarted under load",
            promise="no answer is cut, nothing is counted twice, and limits remember",
        ),
        Scenario(
            name="alerts",
            title="A breaker opens and closes",
            promise="a webhook is told once that it is so and once that it is over, signed",
        ),
    )
}
