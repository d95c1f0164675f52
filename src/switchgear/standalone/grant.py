"""What a rate limiter answers: a *Grant*, a *Denied*, or, when it was only asked, a *Check*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from switchgear.calls import Refusal
from switchgear.policies import limiter
from switchgear.standalone.arguments import whole
from switchgear.standalone.turnstile import Turnstile

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


__all__ = ["Check", "Denied", "Grant"]


class Grant(msgspec.Struct, eq=False):
    """Leave to make one call, from a *RateLimiter*; to be settled or released once, later words are ignored.

    As a ``with`` or ``async with`` block it is settled at its end with what was reserved, unless
    that has been done in it: an exception doesn't tell what the provider has counted.

    Attributes:
        waited: seconds that were spent in the queue.
    """

    _turnstile: Turnstile
    _grant: limiter.Grant
    waited: float

    @property
    def tokens(self) -> int:
        """The tokens that are reserved."""
        return self._grant.tokens

    def settle(self, tokens: int | None = None) -> None:
        """Replace the reservation by the *tokens* really used (default: all of it).

        What was reserved too much is free at once; what was used beyond it delays later calls.

        Raises:
            ValueError: *tokens* is no whole number from 0 on.
        """
        used = self._grant.tokens if tokens is None else whole("tokens", tokens, least=0)
        self._turnstile.settle(self._grant, used)

    def release(self, *, keep: bool = False) -> None:
        """Give everything back: nothing was sent. With *keep* the units stay charged: it may have been."""
        if keep:
            self.settle()
        else:
            self._turnstile.cancel(self._grant)

    def __bool__(self) -> Literal[True]:
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.settle()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.settle()

    def __repr__(self) -> str:
        return f"<Grant of {self.tokens} tokens>"


class Denied(msgspec.Struct, frozen=True):
    """No, and why; false where a *Grant* is true."""

    refusal: Refusal

    @property
    def rule(self) -> str:
        """The limit that decided."""
        return self.refusal.rule

    @property
    def retry_after(self) -> float | None:
        """Seconds until there is room; None: not foreseeable, or never."""
        return self.refusal.retry_after

    @property
    def retry_at(self) -> float | None:
        """The same as an epoch second."""
        return self.refusal.retry_at

    def __bool__(self) -> Literal[False]:
        return False


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a call would pass now; true if it would. *refusal* says why not, and when."""

    refusal: Refusal | None

    @property
    def retry_after(self) -> float | None:
        """Seconds until it would pass: 0 for now, None: not foreseeable, or never."""
        return 0.0 if self.refusal is None else self.refusal.retry_after

    def __bool__(self) -> bool:
        return self.refusal is None
