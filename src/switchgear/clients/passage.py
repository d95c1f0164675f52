"""What every driver of a journey shares: one admitted request on its way, without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from switchgear.policies.retry import Failure

if TYPE_CHECKING:
    from switchgear.calls import Outcome
    from switchgear.governor.exchange import Exchange
    from switchgear.governor.gate import Admitted, Settlement

__all__ = ["Faults", "Passage"]


class Faults(NamedTuple):
    """The errors of a transport: *every* one of them, and those after which the upstream can't have the request."""

    every: type[Exception]
    unsent: tuple[type[Exception], ...]


class Passage:
    """One admitted request on its way. Settles at most once.

    Attributes:
        settlement: what it came to; None until it is settled.
        failure: what its outcome says about trying again; None: it is under way, or its answer is one to keep.
    """

    __slots__ = ("_faults", "_open", "admitted", "exchange", "failure", "settlement")

    def __init__(self, exchange: Exchange, admitted: Admitted, faults: Faults) -> None:
        self.exchange: Final = exchange
        self.admitted: Final = admitted
        self.settlement: Settlement | None = None
        self.failure: Failure | None = None
        self._faults: Final = faults
        self._open = True
        exchange.watch(admitted)

    def close(self) -> bool:
        """Return True the first time: who closes it settles it."""
        was_open, self._open = self._open, False
        return was_open

    def ended(self) -> Outcome:
        """Return the outcome of an answer that came to its end."""
        outcome = self.exchange.ended(self.admitted)
        self.failure = self.exchange.failure(outcome)
        return outcome

    def left(self) -> Outcome:
        """Return the outcome of a call whose caller went away."""
        return self.exchange.left(self.admitted)

    def failed(self, error: BaseException) -> Outcome:
        """Return the outcome of sending or reading having raised *error*."""
        if not isinstance(error, Exception):  # cancelled or interrupted: nobody waits any more
            return self.left()
        sent = not isinstance(error, self._faults.unsent)
        self.failure = Failure(sent=sent, answered=False)
        return self.exchange.broke(self.admitted, error, sent=sent)
