"""What the script *explain* answers, and what that is in the words of a *State*. Pure: no I/O, no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from switchgear.state.explanation import BreakerAsked, BudgetAsked, LimitAsked, explained
from switchgear.state.redis_replies import (
    AccountSeen,
    Reply,
    ServiceSeen,
    breaker_of,
    budget_of,
    limits_of,
    refusal_of,
)

if TYPE_CHECKING:
    from switchgear.state.base import AdmissionRequest
    from switchgear.state.explanation import Explanation
    from switchgear.state.redis_rules import Rules

__all__ = ["Answer", "decode_answer", "explanation_of"]


class _Asked(AccountSeen, frozen=True, kw_only=True):
    needed: int
    no: dict[str, Any] | None = None


class Answer(Reply, frozen=True, kw_only=True):
    """The reply of *explain*: what *admit* would reply, and what it would look at; or an obstacle."""

    answer: dict[str, Any] | None = None
    service: ServiceSeen | None = None
    ready: tuple[tuple[str, int, int], ...] = ()
    shadow_ready: tuple[tuple[str, int, int, int, int], ...] = ()
    passes: bool = True
    accounts: tuple[_Asked, ...] = ()


_ANSWERS: Final = msgspec.msgpack.Decoder(Answer)


def decode_answer(raw: bytes) -> Answer:
    """Return the reply of *explain*."""
    return _ANSWERS.decode(raw)


def explanation_of(answer: Answer, request: AdmissionRequest, rules: Rules, started: int) -> Explanation:
    """Return *answer* as every state has it; *started* is since when a breaker that never changed is closed."""
    seen, now = answer.service, answer.now
    assert seen is not None  # noqa: S101 - an obstacle is no answer: the session has taken it
    assert answer.answer is not None  # noqa: S101 - likewise; out of the way
    given = _reply(answer.answer, now)
    refusal, waits = None, None
    if given.kind == "wait":
        waits = given.rule, None if given.standing else given.go_at
    elif given.kind != "go":
        refusal = refusal_of(request.service, given, rules)
    ready = {(rule, False): at for rule, _, at in answer.ready}
    ready |= {(rule, True): at for rule, _, at, _, _ in answer.shadow_ready}
    return explained(
        at=now,
        max_wait=request.max_wait_us,
        waits=waits,
        refusal=refusal,
        limits=[
            LimitAsked(
                view=view,
                needed=request.tokens if view.unit == "tokens" else 1,
                ready_at=at if (at := ready[view.rule, view.shadow]) > now else None,
            )
            for view in limits_of(request.service, seen, rules)
        ],
        breaker=BreakerAsked(view=breaker_of(request.service, seen, rules, now, started), passes=answer.passes),
        budgets=[
            BudgetAsked(
                view=budget_of(one, rules),
                needed=one.needed,
                refusal=None if one.no is None else refusal_of(request.service, _reply(one.no, now), rules),
            )
            for one in answer.accounts
        ],
    )


def _reply(fields: dict[str, Any], now: int) -> Reply:
    return msgspec.convert({**fields, "now": now}, Reply)
