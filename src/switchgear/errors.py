"""Every error that Switchgear raises on purpose.

The tree::

    SwitchgearError
    ├── ConfigError              a setting is wrong; names file, line, key, nearest valid key
    ├── LedgerError              the durable record can't be read or written
    ├── StateError               the live numbers can't be read or written
    ├── StallError               a stream sent nothing for too long
    └── Refused                  the gate said no; carries the rule, its numbers, when to retry
        ├── RateLimited          a request, token or concurrency limit is used up
        │   └── ImpossibleError  the call is larger than a limit: it will never be let through
        ├── BreakerOpen          the service's circuit is open
        ├── BudgetExceeded       the worst case does not fit into a budget
        │   └── Skipped          the same, under a budget whose action is ``skip``
        └── Unpriced             no price is known, and the service refuses unpriced calls

A refusal is an answer, not a fault: nothing was sent and nothing was spent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from decimal import Decimal

    from switchgear.calls import Reason, Refusal

__all__ = [
    "BreakerOpen",
    "BudgetExceeded",
    "ConfigError",
    "ImpossibleError",
    "LedgerError",
    "RateLimited",
    "Refused",
    "Skipped",
    "StallError",
    "StateError",
    "SwitchgearError",
    "Unpriced",
    "refused",
]


class SwitchgearError(Exception):
    """The root of the tree: catch this to catch everything of ours."""


class ConfigError(SwitchgearError):
    """A setting is wrong.

    *str()* of it is the whole story on one line, for instance
    ``switchgear.toml:12: services.openai.limts: unknown key; did you mean "limits"?``
    """


class LedgerError(SwitchgearError):
    """The ledger can't be read or written, so nothing may be spent."""


class StateError(SwitchgearError):
    """The live state can't be reached or is not usable."""


class StallError(SwitchgearError):
    """A stream sent nothing for *seconds*; *name* is that of its service, or of the breaker that protects it."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(f"{name} sent nothing for {seconds:g} s")
        self.name = name
        self.seconds = seconds

    def __reduce__(self) -> tuple[type[StallError], tuple[str, float]]:
        return type(self), (self.name, self.seconds)


class Refused(SwitchgearError):
    """The gate refused a call; *refusal* holds every fact of the decision.

    Attributes:
        refusal: the decision as the state returned it.
        reason: ``rate_limit``, ``breaker``, ``budget``, ``skip`` or ``unpriced``.
        rule: the deciding rule, e.g. ``requests_per_minute`` or a budget's name.
        service: the service that the call was for.
        retry_after: seconds until the earliest useful retry; None: retrying won't help.
        retry_at: the same as an epoch second.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.reason: Reason = refusal.reason
        self.rule: str = refusal.rule
        self.service: str = refusal.service
        self.retry_after: float | None = refusal.retry_after
        self.retry_at: float | None = refusal.retry_at

    def __reduce__(self) -> tuple[type[Refused], tuple[Refusal]]:
        return type(self), (self.refusal,)


class RateLimited(Refused):
    """A limit is used up. *limit* and *used* are in the unit of *rule*."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.limit: int | None = refusal.limit
        self.used: int | None = refusal.used


class ImpossibleError(RateLimited):
    """The call needs more than a limit allows at all: no waiting helps, only a smaller call."""


class BreakerOpen(Refused):
    """The circuit of the service is open, or all its trial calls are under way."""


class BudgetExceeded(Refused):
    """The call's worst case does not fit. Money is Decimal USD, tokens are int."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.budget: str = refusal.rule
        self.limit: Decimal | int | None = refusal.amount(refusal.limit)
        self.spent: Decimal | int | None = refusal.amount(refusal.used)
        self.reserved: Decimal | int | None = refusal.amount(refusal.reserved)


class Skipped(BudgetExceeded):
    """A budget with action ``skip`` leaves this call out; the pipeline may go on without it."""


class Unpriced(Refused):
    """No price is known for the model, and ``unpriced = "refuse"`` is in force."""


_BY_REASON: Final[dict[str, type[Refused]]] = {
    "rate_limit": RateLimited,
    "breaker": BreakerOpen,
    "budget": BudgetExceeded,
    "skip": Skipped,
    "unpriced": Unpriced,
}


def refused(refusal: Refusal) -> Refused:
    """Return the error of the tree that stands for *refusal*."""
    if refusal.reason == "rate_limit" and refusal.retry_after is None and (refusal.needed or 0) > (refusal.limit or 0):
        return ImpossibleError(refusal)
    return _BY_REASON[refusal.reason](refusal)
