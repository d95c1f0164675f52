"""How much a stream may still put out before its budgets are asked again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from switchgear.calls import Refusal
    from switchgear.governor.gate import Admitted, Gate

__all__ = ["Allowance"]

_AHEAD: Final = 16
"""Tokens that are asked for beyond those that are there, and an eighth of these: not once a token."""


class Allowance:
    """The output that is reserved for *admitted*, and more of it as long as every budget has room.

    A provider that keeps to the request's maximum never comes here.
    """

    def __init__(self, gate: Gate, admitted: Admitted) -> None:
        self._gate: Final = gate
        self._admitted: Final = admitted
        self._tokens = admitted.call.bound.output_tokens

    def passed(self, produced: int) -> Refusal | None:
        """Take note that *produced* tokens are there; return the budget's no if they are too many."""
        if produced <= self._tokens:
            return None
        tokens = produced + produced // 8 + _AHEAD
        usage = msgspec.structs.replace(self._admitted.call.bound, output_tokens=tokens)
        refusal = self._gate.extend(self._admitted, usage)
        if refusal is None:
            self._tokens = tokens
        return refusal
