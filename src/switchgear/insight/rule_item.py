"""One rule as a call met it, or would meet it: a row of an explanation and of a call's story."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Literal

import msgspec

from switchgear.calls import Unit

__all__ = ["RuleItem", "RuleKind", "RuleVerdict"]

RuleKind = Literal["price", "limit", "breaker", "budget"]
RuleVerdict = Literal["pass", "wait", "refuse", "not_asked"]


class RuleItem(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. Money is a decimal string of USD, all else whole numbers in *unit*; null: not known, or not recorded.

    Attributes:
        value: whose share it is, for a budget with ``each``.
        verdict: what the rule said by itself; ``not_asked``: an earlier rule had decided.
        decides: it is the one that decides.
        shadow: it is only evaluated: what it says is what it would say.
        used: what is settled; *reserved*: what calls in flight hold; *needed*: what this call takes.
        remaining: what is neither used nor reserved.
        window_seconds: of a limit, 0: in flight; *period* and *resets_at*: of a budget.
        passes_at: when it would let the call pass by itself; null: now, or not foreseeable.
        state: of a breaker, with *next_probe_at*, and *used* of *limit* failures in a row.
        text: the whole as a sentence.
    """

    kind: RuleKind
    rule: str
    value: str | None = None
    verdict: RuleVerdict
    decides: bool = False
    shadow: bool = False
    unit: Unit | None = None
    limit: Decimal | int | None = None
    used: Decimal | int | None = None
    reserved: Decimal | int | None = None
    needed: Decimal | int | None = None
    remaining: Decimal | int | None = None
    window_seconds: float | None = None
    period: str | None = None
    resets_at: dt.datetime | None = None
    passes_at: dt.datetime | None = None
    state: str | None = None
    next_probe_at: dt.datetime | None = None
    text: str
