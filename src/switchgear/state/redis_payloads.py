"""What the scripts of a shared state are asked, as bytes: every verb with its numbers, its rules and the server's time.

-1 stands for None throughout; instants and spans are microseconds, money is nano-USD.
"""

from __future__ import annotations

import random
import secrets
from typing import TYPE_CHECKING, Any, Final

import msgspec

from switchgear.calls import Quota
from switchgear.clock import Moment, micros
from switchgear.policies.breaker import told
from switchgear.state.base import Account, AdmissionRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchgear.clock import Clock
    from switchgear.policies.breaker import BreakerOrder
    from switchgear.state.base import History
    from switchgear.state.redis_link import Stale
    from switchgear.state.redis_replies import Reply
    from switchgear.state.redis_rules import Rules

__all__ = ["Ask", "Finish", "Held", "Payloads"]

_REAP: Final = 200
"""Admissions of dead processes that are settled in one go."""

_MARGIN: Final = 500_000
"""How late a request may be beyond the time-out before it is void."""


class Ask(msgspec.Struct, frozen=True):
    """A verb for the server and what it is told."""

    verb: str
    payload: bytes


class Held(msgspec.Struct, kw_only=True):
    """What this process holds for one call. *known*: the server has heard of it."""

    number: int
    request: AdmissionRequest
    known: bool = True


class Finish(msgspec.Struct, frozen=True, kw_only=True):
    """How a call ended: what *settle* or *cancel* has to tell the server.

    Attributes:
        adopt: the call, where the server has not heard that it left.
        doubt: whether the server let it go is not known; it may stand in line too.
        again_at: not to be told before this monotonic instant.
    """

    number: int
    service: str
    accounts: tuple[Account, ...]
    scopes: tuple[str, ...] = ()
    tokens: int = -1
    cost: int = -1
    verdict: str = "neutral"
    retry_after: int | None = None
    quotas: tuple[Quota, ...] = ()
    cancelled: bool = False
    adopt: Held | None = None
    doubt: bool = False
    again_at: int = 0


class Payloads:
    """Makes what one process asks.

    Args:
        rules: what the scripts are told.
        owner: names the process.
        ledger: names its ledger.
        clock: time; with *server_time* False its wall clock takes the place of the server's.
        lease_us: for how long the server holds what a silent process holds.
        timeout_us: after which nobody waits for an answer.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        owner: str,
        ledger: str,
        clock: Clock,
        lease_us: int,
        timeout_us: int,
        server_time: bool,
    ) -> None:
        self.epoch = ""
        self.rules = rules
        self._owner: Final = owner
        self._ledger: Final = ledger
        self._clock: Final = clock
        self._lease: Final = lease_us
        self._late: Final = timeout_us + _MARGIN
        self._server_time: Final = server_time
        self._offset: int | None = None  # the server's time minus our monotonic time
        self._draw: Final = random.Random(secrets.randbits(64))  # noqa: S311 - jitter is no secret

    def moment(self, now: Moment) -> Moment:
        """Return *now*, or a later reading where the clock runs by itself."""
        return self._clock.moment() if self._server_time else now

    def saw(self, reply: Reply) -> None:
        """Learn the server's time from *reply*."""
        if self._server_time:
            self._offset = reply.now - self._clock.moment().mono

    def corrected(self, stale: Stale, now: Moment) -> None:
        """Learn the server's time from its complaint."""
        self._offset = stale.now - self.moment(now).mono

    def void_at(self) -> int:
        """Return the monotonic instant from which a request that is made now has no effect any more."""
        return self._clock.moment().mono + self._late + _MARGIN

    def admission(self, request: AdmissionRequest, number: int, slot: int | None, at: Moment, *, again: bool) -> Ask:
        """Ask for admission *number*; *again*: an earlier try may have got there."""
        place = {} if slot is None else {"slot": slot}
        return self._ask(
            "admit",
            at,
            **_need(request),
            **place,
            number=number,
            again=again,
            till=self._now(at) + self._late,
            service=self.rules.service(request.service),
            max_wait=request.max_wait_us,
            accounts=self._accounts(request.accounts, at),
            scopes=self.rules.under(request.scopes),
            can_degrade=request.can_degrade,
        )

    def question(self, request: AdmissionRequest, at: Moment) -> Ask:
        """Ask what the answer to *request* would be."""
        return self._ask(
            "explain",
            at,
            **_need(request),
            service=self.rules.service(request.service),
            max_wait=request.max_wait_us,
            accounts=self._accounts(request.accounts, at),
            scopes=self.rules.under(request.scopes),
        )

    def withdrawal(self, number: int, service: str, at: Moment) -> Ask:
        """Give the place of *number* back."""
        return self._ask("withdraw", at, number=number, service=self.rules.service(service))

    def finish(self, finish: Finish, at: Moment) -> Ask:
        """Tell how a call ended."""
        return self._ask(
            "finish",
            at,
            number=finish.number,
            service=self.rules.service(finish.service),
            accounts=self._accounts(finish.accounts, at),
            scopes=self.rules.under(finish.scopes),
            tokens=finish.tokens,
            cost=finish.cost,
            verdict=finish.verdict,
            retry_after=finish.retry_after or 0,
            pause=finish.retry_after is not None,
            quotas=[
                {"unit": one.unit, "remaining": one.remaining, "resets_in": micros(one.resets_in)}
                for one in finish.quotas
            ],
            cancelled=finish.cancelled,
            draw=self._draw.random(),
        )

    def adoption(self, held: Held, at: Moment) -> Ask:
        """Tell of a call that left while the server could not be asked."""
        request = held.request
        return self._ask(
            "adopt",
            at,
            **_need(request),
            number=held.number,
            service=self.rules.service(request.service),
            accounts=self._accounts(request.accounts, at),
            scopes=self.rules.under(request.scopes),
        )

    def extension(self, held: Held, cost: int | None, tokens: int, at: Moment) -> Ask:
        """Hold more for a call under way."""
        return self._ask(
            "extend",
            at,
            number=held.number,
            cost=-1 if cost is None else cost,
            tokens=tokens,
            accounts=self._accounts(held.request.accounts, at),
        )

    def limit(self, budget: str, limit: int, at: Moment) -> Ask:
        """Give *budget* another limit."""
        marks = msgspec.structs.replace(self.rules.budgets[budget], limit=limit).marks
        return self._ask("set_limit", at, limit=limit, marks=marks, accounts=self._accounts((Account(budget),), at))

    def breaker(self, service: str, order: BreakerOrder, note: str, at: Moment) -> Ask:
        """Tell what an operator says about the circuit of *service*."""
        new, reason = told(order, note)
        rules = self.rules.service(service)
        return self._ask("set_breaker", at, service=rules, order=order, new=new, reason=reason)

    def renewal(self, at: Moment) -> Ask:
        """Prolong the lease."""
        return self._ask("renew", at)

    def polling(self, at: Moment) -> Ask:
        """Let time take its effect on open circuits."""
        return self._ask("poll", at, services=self.rules.all_services())

    def viewing(self, at: Moment) -> Ask:
        """Look at everything."""
        return self._everything("views", at)

    def reaping(self, at: Moment) -> Ask:
        """Settle what dead processes held."""
        return self._everything("reap", at, retired=True, most=_REAP)

    def joining(self, history: History, held: Iterable[Held], at: Moment) -> Ask:
        """Register, tell what the ledger remembers, hold again what was *held*."""
        return self._everything(
            "join",
            at,
            fresh=secrets.token_hex(8),
            ledger=self._ledger,
            **_remembered(history, self.rules),
            held=[
                {
                    **_need(one.request),
                    "number": one.number,
                    "service": one.request.service,
                    "accounts": [_named(account) for account in one.request.accounts],
                    "scopes": self.rules.under(one.request.scopes),
                }
                for one in held
            ],
        )

    def _ask(self, verb: str, at: Moment, **facts: object) -> Ask:
        base = {
            "now": 0 if self._server_time else at.wall,
            "owner": self._owner,
            "epoch": self.epoch,
            "lease": self._lease,
        }
        return Ask(verb, msgspec.msgpack.encode({**base, **facts}))

    def _everything(self, verb: str, at: Moment, *, retired: bool = False, **facts: object) -> Ask:
        rules = self.rules
        services = rules.all_services(retired=retired)
        budgets = rules.all_budgets(self._now(at), retired=retired)
        return self._ask(verb, at, services=services, budgets=budgets, scopes=rules.all_scopes(), **facts)

    def _now(self, at: Moment) -> int:
        """Return the server's time, as far as we know."""
        return at.wall if self._offset is None or not self._server_time else at.mono + self._offset

    def _accounts(self, accounts: Iterable[Account], at: Moment) -> list[dict[str, Any]]:
        now = self._now(at)
        found = (self.rules.account(account, now) for account in accounts)
        return [one for one in found if one is not None]


def _need(request: AdmissionRequest) -> dict[str, Any]:
    return {
        "tokens": request.tokens,
        "cost": -1 if request.cost is None else request.cost,
        "expected_tokens": -1 if request.expected_tokens is None else request.expected_tokens,
        "expected_cost": -1 if request.expected_cost is None else request.expected_cost,
    }


def _named(account: Account) -> dict[str, Any]:
    return {"budget": account.budget} | ({} if account.value is None else {"value": account.value})


def _remembered(history: History, rules: Rules) -> dict[str, Any]:
    configured = rules.budgets
    return {
        "calls": [
            {"service": past.service, "at": past.at, "requests": past.requests, "tokens": past.tokens}
            for past in history.calls
        ],
        "spend": [
            {**_named(past.account), "cost": past.cost, "tokens": past.tokens, "unpriced": past.unpriced}
            for past in history.spend
        ],
        "limits": [
            {
                "budget": past.budget,
                "limit": past.limit,
                "marks": msgspec.structs.replace(configured[past.budget], limit=past.limit).marks,
                "configured": configured[past.budget].limit,
            }
            for past in history.limits
            if past.budget in configured
        ],
        "breakers": [
            {
                "service": past.service,
                "state": "forced_open" if past.state == "forced_open" else "open",
                "at": past.at,
                "till": 0 if past.until is None else past.until,
                "opened": past.opened_times,
                "reason": past.reason,
            }
            for past in history.breakers
            if past.state in {"open", "half_open", "forced_open"}
        ],
    }
