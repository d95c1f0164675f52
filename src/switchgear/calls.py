"""The nouns that cross boundaries. All are frozen: nobody changes what another room reads.

They are msgspec Structs rather than dataclasses because several are made on every call, and a
frozen dataclass costs four times as much to make (docs/decisions/0003).
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from switchgear.money import to_usd

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = [
    "NO_ATTRIBUTION",
    "NO_USAGE",
    "Attribution",
    "Call",
    "CallStatus",
    "Content",
    "Outcome",
    "Quota",
    "Reason",
    "Refusal",
    "Unit",
    "Usage",
    "Verdict",
    "new_call_id",
]

CallStatus = Literal["reserved", "ok", "failed", "refused", "cancelled", "orphaned"]
"""Where an attempt stands in the ledger. ``reserved``: on the wire. ``orphaned``: its process died."""

Reason = Literal["rate_limit", "breaker", "budget", "skip", "unpriced"]
"""Why the gate said no."""

Unit = Literal["usd", "tokens", "requests", "calls"]
"""What a rule's numbers count; ``usd`` numbers are nano-USD, ``calls`` are calls in flight."""

Verdict = Literal["success", "failure", "neutral"]
"""What an outcome says about the *service*: the caller's own 4xx and a cancelled call say nothing."""


class Attribution(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """On whose behalf a call is made. Any part may be unknown (None)."""

    job: str | None = None
    run: str | None = None
    layer: str | None = None
    key: str | None = None
    tags: tuple[tuple[str, str], ...] = ()

    def value(self, name: str) -> str | None:
        """Return the part called *name*: ``job``, ``run``, ``layer``, ``key`` or ``tag.<name>``."""
        if name.startswith("tag."):
            wanted = name[4:]
            return next((value for tag, value in self.tags if tag == wanted), None)
        found: str | None = getattr(self, name)
        return found


NO_ATTRIBUTION: Final = Attribution()


class Usage(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a call used, or at most will use.

    Attributes:
        input_tokens: all input, cached included.
        output_tokens: all output, reasoning included.
        cache_read_tokens: the part of the input that the provider read from its cache.
        cache_write_tokens: the part of the input that it wrote to its cache.
        reasoning_tokens: the part of the output that was reasoning.
        units: anything else that is billed: ``(("pages", 2), ("request", 1))``, sorted by name.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    units: tuple[tuple[str, int], ...] = ()

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.input_tokens + self.output_tokens


NO_USAGE: Final = Usage()


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One governed request to a service, before anything is decided about it.

    Attributes:
        id: sortable by time, 26 characters (see *new_call_id*).
        service: the service's name in the configuration.
        endpoint: what is asked of it: ``/v1/chat/completions``, or a function's name.
        model: the model that will be billed; None where there is none.
        attribution: on whose behalf.
        bound: an upper bound of what it may use; tokens and units.
        bounded: the caller's own request sets the bound; False: only the model's limits do.
        tier: the service tier asked for; None: the standard one.
        billable: False for requests that no provider bills (listing models, say): they cost 0.
        streamed: the answer comes in pieces.
        attempt: 1 for the first try on the wire, then counting.
        degraded_from: the model that was asked for, where a budget has put *model* in its place.
        trace_id: W3C trace id, 32 hex digits; likewise *span_id* and *parent_span_id* of 16.
    """

    id: str
    service: str
    endpoint: str
    model: str | None = None
    attribution: Attribution = NO_ATTRIBUTION
    bound: Usage = NO_USAGE
    bounded: bool = True
    tier: str | None = None
    billable: bool = True
    streamed: bool = False
    attempt: int = 1
    degraded_from: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The gate's no: the deciding rule, its numbers and the earliest useful retry.

    Attributes:
        reason: the kind of rule.
        rule: its name: ``requests_per_minute``, ``breaker``, a budget's name, ``unpriced``.
        service: the service asked for.
        message: the whole as one sentence.
        unit: what *limit*, *used*, *reserved* and *needed* count; None for a breaker.
        limit: the rule's limit.
        used: what is settled against it.
        reserved: what calls in flight hold.
        needed: what this call would have taken.
        retry_after: seconds from the decision; None when a retry of this call can't succeed.
        retry_at: the same as an epoch second.
    """

    reason: Reason
    rule: str
    service: str
    message: str
    unit: Unit | None = None
    limit: int | None = None
    used: int | None = None
    reserved: int | None = None
    needed: int | None = None
    retry_after: float | None = None
    retry_at: float | None = None

    def amount(self, number: int | None) -> Decimal | int | None:
        """Return *number* in the unit people read: nano-USD become Decimal USD."""
        return to_usd(number) if self.unit == "usd" and number is not None else number


class Quota(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a provider said of a limit of its own.

    Attributes:
        remaining: what is left of it, in *unit*.
        resets_in: seconds until it is whole again.
        limit: the whole, if it said so.
    """

    unit: Unit
    remaining: int
    resets_in: float
    limit: int | None = None


class Content(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What was asked and answered, as it went over the wire. Kept only for whoever sets ``telemetry.content``."""

    asked: bytes
    answered: bytes


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended.

    Attributes:
        status: ``ok``, ``failed`` or ``cancelled``.
        verdict: what that says about the service, for its breaker.
        usage: what was used; None: unknown, so the whole reservation is taken as used.
        estimated: *usage* is our estimate, not the provider's word.
        http_status: as received; None where there was no answer.
        error: type and short message, without secrets or payload; None when ok.
        retry_after: seconds that the provider asked to be left alone.
        quotas: what it said is left of its own limits.
        ttft_us: microseconds to the first piece of a streamed answer.
        model: the model that the provider says it billed, where it differs from the one asked for.
        tier: the service tier that it says it used.
        cost: what it says that it bills, in nano-USD; None: it does not say.
        content: what was asked and answered; None: nobody keeps it.
    """

    status: CallStatus
    verdict: Verdict
    usage: Usage | None = None
    estimated: bool = False
    http_status: int | None = None
    error: str | None = None
    retry_after: float | None = None
    quotas: tuple[Quota, ...] = ()
    ttft_us: int | None = None
    model: str | None = None
    tier: str | None = None
    cost: int | None = None
    content: Content | None = None


_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_random: Final = random.Random()  # noqa: S311 - what names a call need not be a secret, only unique
_random_bits: Final = _random.getrandbits
# A child process must not go on with the numbers of its parent.
os.register_at_fork(after_in_child=_random.seed)
_PAIRS: Final = tuple(one + two for one in _CROCKFORD for two in _CROCKFORD)
"""Two digits for every number of ten bits."""


def new_call_id(wall_us: int) -> str:
    """Return a ULID: 48 bits of milliseconds and 80 random bits in Crockford's base 32.

    Source: https://github.com/ulid/spec
    """
    time, chance, pairs = wall_us // 1000, _random_bits(80), _PAIRS
    return (
        f"{pairs[time >> 40 & 255]}{pairs[time >> 30 & 1023]}{pairs[time >> 20 & 1023]}"
        f"{pairs[time >> 10 & 1023]}{pairs[time & 1023]}"
        f"{pairs[chance >> 70]}{pairs[chance >> 60 & 1023]}{pairs[chance >> 50 & 1023]}{pairs[chance >> 40 & 1023]}"
        f"{pairs[chance >> 30 & 1023]}{pairs[chance >> 20 & 1023]}{pairs[chance >> 10 & 1023]}{pairs[chance & 1023]}"
    )
