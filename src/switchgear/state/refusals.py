"""From a rule's no to a *Refusal*: every backend of the state says it in the same words."""

from __future__ import annotations

from switchgear.policies.breaker_refusal import breaker_open
from switchgear.policies.limit_refusal import rate_limited

__all__ = ["breaker_open", "rate_limited"]
