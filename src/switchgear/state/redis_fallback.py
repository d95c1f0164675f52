"""What becomes of calls while a shared state can't be reached."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from switchgear.state.base import Admission, History, Waiting
from switchgear.state.memory import MemoryState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchgear.calls import Outcome, Refusal
    from switchgear.clock import Moment
    from switchgear.errors import StateError
    from switchgear.policies.limit_rule import LimitRule
    from switchgear.state.base import AdmissionRequest
    from switchgear.state.memory import ServiceRules
    from switchgear.state.redis_session import Session

__all__ = ["Fallback", "WhenDown"]

WhenDown = Literal["closed", "open", "local"]
"""What becomes of calls without a budget that is held: refused, let go, or kept to limits in this process alone."""


class Fallback:
    """Decides without the server. A budget that is held is always closed.

    Args:
        when_down: for all other calls.
        session: what the calls that are let go are told to, when they end.
        started: as for *MemoryState*.
    """

    def __init__(self, when_down: WhenDown, session: Session, started: Moment) -> None:
        self._when_down: Final = when_down
        self._session: Final = session
        self._started: Final = started
        self._lock: Final = threading.Lock()
        self._local: MemoryState | None = None
        self._admissions: Final[dict[int, Admission]] = {}
        self._slots: Final[dict[int, int]] = {}

    def admit(
        self, request: AdmissionRequest, now: Moment, slot: int | None, error: StateError
    ) -> Admission | Waiting | Refusal:
        """Return what is decided here, or raise *error*."""
        rules = self._session.rules
        if self._when_down == "closed" or any(rules.hard(one.budget) for one in request.accounts):
            raise error
        if self._when_down == "open":
            return self._session.adopt_later(request)
        with self._lock:
            if self._local is None:
                self._local = MemoryState(services=self._shares(), budgets=(), started=self._started)
                for scope, limits in rules.scopes.items():
                    self._local.set_scope(scope, self._share(limits), now)
            place = None if slot is None else self._slots.pop(slot, None)
        answer = self._local.admit(msgspec.structs.replace(request, accounts=()), now, place)
        if isinstance(answer, Admission):
            own = self._session.adopt_later(request)
            self._admissions[own.number] = answer
            return msgspec.structs.replace(own, events=answer.events)
        if isinstance(answer, Waiting):
            number = self._session.number()
            self._slots[number] = answer.slot
            return msgspec.structs.replace(answer, slot=number)
        return answer

    def set_scope(self, scope: str, now: Moment) -> None:
        """Hold to the limits of *scope* here too."""
        with self._lock:
            if self._local is not None:
                self._local.set_scope(scope, self._share(self._session.rules.scopes[scope]), now)

    def reconfigure(self, now: Moment) -> None:
        """Keep to the rules that the session has now."""
        with self._lock:
            if self._local is not None:
                self._local.reconfigure(self._shares(), (), History(), now)

    def withdraw(self, slot: int | None, now: Moment) -> bool:
        """Give *slot* back if it is one of ours, and tell whether it is."""
        place = None if slot is None else self._slots.pop(slot, None)
        if place is None or self._local is None:
            return False
        self._local.withdraw(place, now)
        return True

    def cancel(self, number: int, now: Moment) -> None:
        """Undo admission *number* here too."""
        its = self._admissions.pop(number, None)
        if its is not None and self._local is not None:
            self._local.cancel(its, now)

    def settle(self, number: int, outcome: Outcome, now: Moment) -> None:
        """Settle admission *number* here too."""
        its = self._admissions.pop(number, None)
        if its is not None and self._local is not None:
            self._local.settle(its, outcome, None, now)

    def _shares(self) -> dict[str, ServiceRules]:
        """Return the rules with each limit cut to the share of one process."""
        return {
            name: msgspec.structs.replace(rules, limits=self._share(rules.limits))
            for name, rules in self._session.rules.services.items()
        }

    def _share(self, limits: Iterable[LimitRule]) -> tuple[LimitRule, ...]:
        owners = max(1, self._session.owners)
        return tuple(msgspec.structs.replace(rule, limit=max(1, rule.limit // owners)) for rule in limits)
