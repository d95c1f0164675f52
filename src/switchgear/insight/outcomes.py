"""Outcomes in one word: how an attempt ended and, for a refusal, which kind of rule it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from switchgear.calls import CallStatus, Reason

__all__ = ["OUTCOMES", "Outcome"]

Outcome = Literal[
    "ok",
    "failed",
    "cancelled",
    "orphaned",
    "in-flight",
    "refused",
    "refused-rate-limit",
    "refused-breaker",
    "refused-budget",
    "refused-skip",
    "refused-unpriced",
]
"""The words that filters take."""

OUTCOMES: Final[dict[Outcome, tuple[CallStatus, Reason | None]]] = {
    "ok": ("ok", None),
    "failed": ("failed", None),
    "refused": ("refused", None),
    "refused-rate-limit": ("refused", "rate_limit"),
    "refused-breaker": ("refused", "breaker"),
    "refused-budget": ("refused", "budget"),
    "refused-skip": ("refused", "skip"),
    "refused-unpriced": ("refused", "unpriced"),
    "cancelled": ("cancelled", None),
    "orphaned": ("orphaned", None),
    "in-flight": ("reserved", None),
}
"""Each outcome as the ledger has it."""
