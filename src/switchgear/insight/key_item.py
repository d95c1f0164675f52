"""A Switchgear key as people and programs see it: everything but what could be used."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import msgspec

from switchgear.insight.days import from_micros
from switchgear.ledger.key_rows import Key, KeyState
from switchgear.money import to_usd
from switchgear.policies.key_secret import shown

__all__ = ["KeyItem", "KeyList", "key_item"]


class KeyItem(msgspec.Struct, frozen=True, kw_only=True):
    """One key. *id* begins as its secret does, ``sgk_ab12cd34…``; *previous_id* is the one in its grace.

    *services* and *models*: those that it may use; empty: all.
    """

    name: str
    id: str
    state: KeyState
    created_at: dt.datetime
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None
    previous_id: str | None
    previous_until: dt.datetime | None
    job: str | None
    run: str | None
    layer: str | None
    tags: dict[str, str]
    fixed: bool
    services: tuple[str, ...]
    models: tuple[str, ...]
    requests_per_minute: int | None
    requests_per_day: int | None
    tokens_per_minute: int | None
    tokens_per_day: int | None
    concurrent: int | None
    limit_usd: Decimal | None
    limit_tokens: int | None
    period: str | None


class KeyList(msgspec.Struct, frozen=True, kw_only=True):
    """Every key there ever was, by name. All are on one page: *next* is null."""

    items: tuple[KeyItem, ...]
    next: str | None = None


def key_item(key: Key, now: int) -> KeyItem:
    """Return *key* as of epoch microsecond *now*."""
    terms = key.terms
    old = next((one for one in key.secrets[1:] if one.until is not None and one.until > now), None)
    budget = terms.limit_usd is not None or terms.limit_tokens is not None
    return KeyItem(
        name=key.name,
        id=shown(key.secrets[0].id),
        state=key.state(now),
        created_at=from_micros(key.created_at),
        expires_at=_instant(key.expires_at),
        revoked_at=_instant(key.revoked_at),
        previous_id=None if old is None else shown(old.id),
        previous_until=None if old is None else _instant(old.until),
        job=terms.job,
        run=terms.run,
        layer=terms.layer,
        tags=dict(terms.tags),
        fixed=terms.fixed,
        services=terms.services,
        models=terms.models,
        requests_per_minute=terms.requests_per_minute,
        requests_per_day=terms.requests_per_day,
        tokens_per_minute=terms.tokens_per_minute,
        tokens_per_day=terms.tokens_per_day,
        concurrent=terms.concurrent,
        limit_usd=None if terms.limit_usd is None else to_usd(terms.limit_usd),
        limit_tokens=terms.limit_tokens,
        period=terms.period if budget else None,
    )


def _instant(at: int | None) -> dt.datetime | None:
    return None if at is None else from_micros(at)
