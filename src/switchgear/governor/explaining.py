"""What the gate would say to a call now, and why; nothing is taken, written or told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from switchgear.calls import Call, Refusal
from switchgear.state.explanation import Explanation

if TYPE_CHECKING:
    from collections.abc import Generator

    from switchgear.clock import Clock
    from switchgear.governor.planning import Cheaper, Plan, Planner
    from switchgear.state.base import AdmissionRequest, AsyncState

__all__ = ["Explained", "Explainer"]


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """The gate's answer to a call that is not made.

    Attributes:
        call: the one that would be let go or refused: of a cheaper model, where a budget has put that in its place.
        cost: its worst case in nano-USD, None for an unpriced call.
        price_version: of the price used, None for an unpriced call.
        refusal: the gate's no.
        told: what the state says, with the numbers of every rule.
    """

    call: Call
    cost: int | None
    price_version: str | None
    refusal: Refusal | None
    told: Explanation


class Explainer:
    """Asks the state as the gate would, without taking anything.

    Args:
        planner: works out prices, bounds and budgets, as for real calls.
        state: the live numbers.
        clock: time.
    """

    def __init__(self, planner: Planner, state: AsyncState, clock: Clock) -> None:
        self._planner: Final = planner
        self._state: Final = state
        self._clock: Final = clock

    def explain(self, call: Call, *, max_wait_us: int | None = None, cheaper: Cheaper | None = None) -> Explained:
        """Return what ``admit`` would say to *call*; for *max_wait_us* and *cheaper* see there.

        Raises:
            StateError: a shared state can't be asked.
        """
        questions = self._questions(call, max_wait_us, cheaper)
        try:
            request = next(questions)
            while True:
                request = questions.send(self._state.explain(request, self._clock.moment()))
        except StopIteration as done:
            return cast("Explained", done.value)

    async def aexplain(
        self, call: Call, *, max_wait_us: int | None = None, cheaper: Cheaper | None = None
    ) -> Explained:
        """The same for tasks."""
        questions = self._questions(call, max_wait_us, cheaper)
        try:
            request = next(questions)
            while True:
                request = questions.send(await self._state.aexplain(request, self._clock.moment()))
        except StopIteration as done:
            return cast("Explained", done.value)

    def _questions(
        self, call: Call, max_wait_us: int | None, cheaper: Cheaper | None
    ) -> Generator[AdmissionRequest, Explanation, Any]:
        """Yield what the state is to be asked, be sent its answers, return the *Explained*."""
        now = self._clock.moment()
        plan = self._planner.plan(call, now, max_wait_us=max_wait_us, waker=_nobody, cheaper=cheaper)
        told = yield plan.request
        unpriced = self._planner.unpriced(plan)
        if unpriced is not None:
            return _explained(plan, unpriced, told)
        while told.refusal is not None:
            other = self._planner.degraded(plan, told.refusal, now, cheaper)
            if other is None:
                break
            plan, told = other, (yield other.request)
        return _explained(plan, told.refusal, told)


def _nobody() -> None:
    """Nobody waits, so nobody is woken."""


def _explained(plan: Plan, refusal: Refusal | None, told: Explanation) -> Explained:
    version = None if plan.price is None else plan.price.version
    return Explained(call=plan.call, cost=plan.request.cost, price_version=version, refusal=refusal, told=told)
