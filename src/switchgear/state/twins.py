"""The asynchronous half of a state whose verbs take microseconds: each is its twin, done at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from switchgear.calls import Outcome, Refusal
    from switchgear.clock import Moment
    from switchgear.events import Event
    from switchgear.state.base import Admission, AdmissionRequest, State, Waiting
    from switchgear.state.explanation import Explanation

__all__ = ["Twins"]


class Twins:
    """Makes an *AsyncState* of a *State* that never blocks."""

    async def aadmit(
        self: State, request: AdmissionRequest, now: Moment, slot: int | None = None
    ) -> Admission | Waiting | Refusal:
        return self.admit(request, now, slot)

    async def awithdraw(self: State, slot: int, now: Moment) -> None:
        self.withdraw(slot, now)

    async def acancel(self: State, admission: Admission, now: Moment) -> None:
        self.cancel(admission, now)

    async def asettle(
        self: State, admission: Admission, outcome: Outcome, cost: int | None, now: Moment
    ) -> tuple[Event, ...]:
        return self.settle(admission, outcome, cost, now)

    async def aextend(self: State, admission: Admission, cost: int | None, tokens: int, now: Moment) -> Refusal | None:
        return self.extend(admission, cost, tokens, now)

    async def aexplain(self: State, request: AdmissionRequest, now: Moment) -> Explanation:
        return self.explain(request, now)

    async def apoll(self: State, now: Moment) -> tuple[Event, ...]:
        return self.poll(now)

    def close(self) -> None:
        """Nothing is held outside this process."""

    async def aclose(self) -> None:
        """Nothing is held outside this process."""
