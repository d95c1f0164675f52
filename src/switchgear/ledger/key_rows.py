"""What the ledger keeps of a Switchgear key. The secret itself is not among it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

__all__ = ["Key", "KeySecret", "KeyState", "KeyTerms"]

KeyState = Literal["active", "expired", "revoked"]


class KeyTerms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a key is good for. None, or empty: no such bound.

    Attributes:
        job: the attribution of calls that say nothing else; likewise *run*, *layer* and *tags*.
        fixed: calls may not say anything else.
        services: those that may be used.
        models: those that may be asked for; calls without a model may go.
        requests_per_minute: of all calls with this key; likewise the other limits.
        limit_usd: its budget in nano-USD; or *limit_tokens*, in tokens.
        period: of the budget, as in the configuration.
    """

    job: str | None = None
    run: str | None = None
    layer: str | None = None
    tags: Mapping[str, str] = {}
    fixed: bool = False
    services: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    requests_per_day: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None
    concurrent: int | None = None
    limit_usd: int | None = None
    limit_tokens: int | None = None
    period: str = "total"


NO_TERMS: Final = KeyTerms()


class KeySecret(msgspec.Struct, frozen=True, kw_only=True):
    """One secret of a key: its *id*, its SHA-256 in hex, and until when it holds (None: as long as the key)."""

    id: str
    digest: str
    until: int | None = None


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key. Instants are epoch microseconds.

    Attributes:
        secrets: the one in force first; another one while the grace after a rotation runs.
        revision: of the change that made it what it is.
    """

    name: str
    secrets: tuple[KeySecret, ...]
    created_at: int
    revision: int
    expires_at: int | None = None
    revoked_at: int | None = None
    terms: KeyTerms = NO_TERMS

    def state(self, now: int) -> KeyState:
        """Return what it is good for at *now*."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and now >= self.expires_at else "active"
