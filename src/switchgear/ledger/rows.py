"""What is written to the ledger, as it crosses from the governor to the writer."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from switchgear.calls import Call, CallStatus, Refusal, Usage

__all__ = ["AttemptRefused", "AttemptReserved", "AttemptSettled", "Entry", "OrphanSweep"]


class AttemptReserved(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that is about to leave. *cost* is the worst case in nano-USD, None when unpriced.

    Instants are epoch microseconds.
    """

    call: Call
    cost: int | None
    price_version: str | None
    started_at: int
    waited_us: int


class AttemptSettled(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended. *model* replaces the asked-for model where the provider names another."""

    call_id: str
    attempt: int
    status: CallStatus
    usage: Usage
    cost: int | None
    price_version: str | None
    estimated: bool
    http_status: int | None
    error: str | None
    model: str | None
    ttft_us: int | None
    duration_us: int


class AttemptRefused(msgspec.Struct, frozen=True, kw_only=True):
    """A call that the gate turned away."""

    call: Call
    refusal: Refusal
    cost: int | None
    at: int
    waited_us: int


class OrphanSweep(msgspec.Struct, frozen=True, kw_only=True):
    """Not a record but a turn of the writer: settle what dead peers left on the wire. *at*: epoch microseconds."""

    at: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the audit trail that is no event of the gate.

    Attributes:
        kind: one of ``switchgear.ledger.trail.KINDS``.
        subject: what it is about, e.g. ``ledger`` or a process.
        at: epoch microseconds.
        what: its facts; ``actor`` says who, ``reason`` why.
    """

    kind: str
    subject: str
    at: int
    what: Mapping[str, object]
