"""Live numbers that processes share: the rules of *MemoryState* as one script a verb, on Redis or Valkey.

The server's time is the clock. What a process holds is leased to it: while it lives it renews the
lease from a thread of its own; when it is gone, others settle its calls at their reserved cost and
give its places in queues back. When the server has lost its data, each process has it told what its
ledger remembers and holds again what it held.

While the server can't be reached, calls that fall under a budget that is held are refused with a
*StateError*. For all others *when_down* says what happens: ``closed`` refuses them too, ``open`` lets
them go, ``local`` keeps to limits and breakers in this process alone, with its share of each limit.
Nothing waits for the server longer than the time-out.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from switchgear.clock import MICROS, Moment, SystemClock
from switchgear.errors import StateError
from switchgear.state.base import History
from switchgear.state.redis_explained import decode_answer, explanation_of
from switchgear.state.redis_fallback import Fallback, WhenDown
from switchgear.state.redis_keeper import Keeper
from switchgear.state.redis_link import Link, Unreachable, on_loop
from switchgear.state.redis_replies import decode, decode_views, views_of
from switchgear.state.redis_rules import EXACT, Rules
from switchgear.state.redis_session import RECALL, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from switchgear.calls import Outcome, Refusal
    from switchgear.clock import Clock
    from switchgear.events import BudgetCrossed, CircuitName, Event
    from switchgear.policies.breaker import BreakerOrder
    from switchgear.policies.budget import BudgetRule
    from switchgear.policies.limit_rule import LimitRule
    from switchgear.state.base import (
        Admission,
        AdmissionRequest,
        BreakerView,
        BudgetView,
        LimitView,
        PastSpend,
        Waiting,
    )
    from switchgear.state.explanation import Explanation
    from switchgear.state.memory import ServiceRules
    from switchgear.state.redis_explained import Answer
    from switchgear.state.redis_payloads import Ask, Finish
    from switchgear.state.redis_replies import Seen
    from switchgear.state.redis_session import Steps

__all__ = ["RedisState", "WhenDown"]

_log = logging.getLogger("switchgear.state")

_POLL_EVERY: Final = 500_000
_DECODERS: Final[Mapping[str, Callable[[bytes], object]]] = {"views": decode_views, "explain": decode_answer}


class RedisState:
    """A *State* and an *AsyncState* on the server of *url*.

    Args:
        url: ``redis://host:6379/0?namespace=x``; states of one namespace are one state.
        services: the rules of every service.
        budgets: every budget.
        recall: returns what the ledger remembers; asked when the server has lost its data.
        ledger: names that ledger: its memory is told once, however many processes share it.
        clock: time.
        timeout_us: the longest that a verb waits for the server.
        lease_us: for how long a process that is silent keeps what it holds.
        when_down: see above.
        server_time: False: the caller's wall clock instead of the server's, for tests.

    Raises:
        ConfigError: the URL is wrong, or a limit is too large to be counted exactly.
    """

    def __init__(  # noqa: PLR0913 - each is one setting, by name
        self,
        url: str,
        *,
        services: Mapping[str, ServiceRules],
        budgets: Iterable[BudgetRule],
        recall: Callable[[], History] = History,
        ledger: str = "",
        clock: Clock | None = None,
        timeout_us: int = 250_000,
        lease_us: int = 30 * MICROS,
        when_down: WhenDown = "closed",
        server_time: bool = True,
    ) -> None:
        self._clock: Final = clock if clock is not None else SystemClock()
        self._link: Final = Link(url, timeout_us)
        self._session: Final = Session(
            Rules(services, budgets),
            clock=self._clock,
            lease_us=lease_us,
            timeout_us=timeout_us,
            ledger=ledger,
            server_time=server_time,
        )
        self._recall: Final = recall
        self._timeout: Final = timeout_us
        self._when_down: Final = when_down
        self._fallback: Final = Fallback(when_down, self._session, self._clock.moment())
        self._server_time: Final = server_time
        self._started: Final = self._clock.moment()
        self._down_until = 0
        self._polled_at: int | None = None
        self._keeper: Final = Keeper(
            self._keep_up, lambda: bool(self.untold), pause_us=lease_us // 3, behind_us=2 * timeout_us
        )

    # The verbs, for threads -------------------------------------------------------------------

    def admit(self, request: AdmissionRequest, now: Moment, slot: int | None = None) -> Admission | Waiting | Refusal:
        try:
            answer: Admission | Waiting | Refusal = self._run(self._admission(request, now, slot))
        except Unreachable as error:
            return self._fallback.admit(request, now, slot, error)
        except BaseException:
            self._keeper.ring()  # what became of it is not known
            raise
        return answer

    def withdraw(self, slot: int, now: Moment) -> None:
        """Give a place back; on an event loop it is the keeper who tells it, so the loop is not blocked."""
        if self._fallback.withdraw(slot, now):
            return
        if on_loop():
            self._session.leave(slot)
            self._keeper.ring()
        else:
            self._told(self._session.withdraw(slot, now))

    def cancel(self, admission: Admission, now: Moment) -> None:
        """Undo an admission; on an event loop it is the keeper who tells it, so the loop is not blocked."""
        self._fallback.cancel(admission.number, now)
        finish = self._session.cancelling(admission.number)
        if finish is not None and on_loop():
            self._session.postpone(finish)
            self._keeper.ring()
        else:
            self._tell(finish, now)

    def settle(self, admission: Admission, outcome: Outcome, cost: int | None, now: Moment) -> tuple[Event, ...]:
        self._fallback.settle(admission.number, outcome, now)
        self._tell(self._session.settling(admission.number, outcome, cost), now)
        return self._session.events()

    def extend(self, admission: Admission, cost: int | None, tokens: int, now: Moment) -> Refusal | None:
        refusal: Refusal | None = self._run(self._session.extend(admission.number, cost, tokens, now))
        return refusal

    def explain(self, request: AdmissionRequest, now: Moment) -> Explanation:
        answer: Answer = self._run(self._session.explain(request, now))
        return explanation_of(answer, request, self._session.rules, self._started.wall)

    def set_limit(self, budget: str, limit: int, now: Moment) -> tuple[int, tuple[BudgetCrossed, ...]]:
        changed: tuple[int, tuple[BudgetCrossed, ...]] = self._run(self._session.set_limit(budget, limit, now))
        return changed

    def set_breaker(self, service: str, order: BreakerOrder, note: str, now: Moment) -> CircuitName:
        old: CircuitName = self._run(self._session.set_breaker(service, order, note, now))
        return old

    def set_scope(self, scope: str, rules: Sequence[LimitRule], now: Moment) -> None:
        self._session.rules.set_scope(scope, rules)
        self._fallback.set_scope(scope, now)

    def add_budget(self, rule: BudgetRule, past: PastSpend | None, now: Moment) -> None:  # noqa: ARG002 - see below
        """Keep one more budget; what is spent of it is what this server has counted, whatever *past* says."""
        self._session.rules.add_budget(rule)

    def drop_budget(self, name: str) -> None:
        self._session.rules.drop_budget(name)

    def restore(self, history: History, now: Moment) -> None:
        self._link.check_server()
        try:
            self._run(self._session.join(now, history))
        except Unreachable:
            if self._when_down == "closed":
                raise
            _log.exception("starting without the shared state; when_down = %r", self._when_down)
        if self._server_time:  # where time is not the server's nothing happens by itself
            self._keeper.start()

    def reconfigure(
        self, services: Mapping[str, ServiceRules], budgets: Iterable[BudgetRule], history: History, now: Moment
    ) -> tuple[Event, ...]:
        """Bring other rules along from the next verb on: every verb carries its own. Other processes keep theirs."""
        before = self._session.rules
        self._session.rules = Rules(services, budgets, before)
        try:
            self._run(self._session.join(now, history))
        except BaseException:
            self._session.rules = before
            raise
        self._fallback.reconfigure(now)
        return self._session.events()

    def poll(self, now: Moment) -> tuple[Event, ...]:
        if self._polls(now):
            self._told(self._session.poll(now))
        return self._session.events()

    def breakers(self, now: Moment) -> Sequence[BreakerView]:
        return self._views(now).breakers

    def limits(self, now: Moment) -> Sequence[LimitView]:
        return self._views(now).limits

    def budgets(self, now: Moment) -> Sequence[BudgetView]:
        return self._views(now).budgets

    def scopes(self, now: Moment) -> Sequence[LimitView]:
        return self._views(now).scopes

    # The verbs, for tasks ---------------------------------------------------------------------

    async def aadmit(
        self, request: AdmissionRequest, now: Moment, slot: int | None = None
    ) -> Admission | Waiting | Refusal:
        try:
            answer: Admission | Waiting | Refusal = await self._arun(self._admission(request, now, slot))
        except Unreachable as error:
            return self._fallback.admit(request, now, slot, error)
        except BaseException:
            self._keeper.ring()  # what became of it is not known
            raise
        return answer

    async def awithdraw(self, slot: int, now: Moment) -> None:
        if not self._fallback.withdraw(slot, now):
            await self._atold(self._session.withdraw(slot, now))

    async def acancel(self, admission: Admission, now: Moment) -> None:
        self._fallback.cancel(admission.number, now)
        await self._atell(self._session.cancelling(admission.number), now)

    async def asettle(self, admission: Admission, outcome: Outcome, cost: int | None, now: Moment) -> tuple[Event, ...]:
        self._fallback.settle(admission.number, outcome, now)
        await self._atell(self._session.settling(admission.number, outcome, cost), now)
        return self._session.events()

    async def aextend(self, admission: Admission, cost: int | None, tokens: int, now: Moment) -> Refusal | None:
        refusal: Refusal | None = await self._arun(self._session.extend(admission.number, cost, tokens, now))
        return refusal

    async def aexplain(self, request: AdmissionRequest, now: Moment) -> Explanation:
        answer: Answer = await self._arun(self._session.explain(request, now))
        return explanation_of(answer, request, self._session.rules, self._started.wall)

    async def apoll(self, now: Moment) -> tuple[Event, ...]:
        if self._polls(now):
            await self._atold(self._session.poll(now))
        return self._session.events()

    @property
    def untold(self) -> int:
        """Ends of calls that the server has not been told yet, since it could not be reached."""
        return len(self._session.late)

    # Its life ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Tell what is still to be told, let go of the server; the second time does nothing."""
        if self._keeper.is_over:
            return
        self._keeper.end()
        self._tell_late()
        self._link.close()

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._link.aclose()

    # How steps are taken ----------------------------------------------------------------------

    def _run(self, steps: Steps) -> Any:  # noqa: ANN401 - what the verb returns
        self._spare()
        answer: object = None
        error: BaseException | None = None
        try:
            while True:
                ask = steps.send(answer) if error is None else steps.throw(error)
                answer, error = None, None
                try:
                    answer = self._recall() if ask is RECALL else _decoded(ask, self._link.run(ask.verb, ask.payload))
                except BaseException as raised:  # noqa: BLE001 - the steps decide, and raise it again
                    error = self._noted(raised)
        except StopIteration as done:
            return done.value

    async def _arun(self, steps: Steps) -> Any:  # noqa: ANN401 - what the verb returns
        self._spare()
        answer: object = None
        error: BaseException | None = None
        try:
            while True:
                ask = steps.send(answer) if error is None else steps.throw(error)
                answer, error = None, None
                try:
                    if ask is RECALL:
                        answer = await asyncio.to_thread(self._recall)
                    else:
                        answer = _decoded(ask, await self._link.arun(ask.verb, ask.payload))
                except BaseException as raised:  # noqa: BLE001 - the steps decide, and raise it again
                    error = self._noted(raised)
        except StopIteration as done:
            return done.value

    def _spare(self) -> None:
        """Ask nothing of a server that has just not answered: nobody waits for it twice."""
        if self._clock.moment().mono < self._down_until:
            msg = "the shared state could not be reached a moment ago"
            raise Unreachable(msg)

    def _noted(self, error: BaseException) -> BaseException:
        if isinstance(error, Unreachable):
            self._down_until = self._clock.moment().mono + self._timeout
            self._keeper.ring()
        return error

    def _admission(self, request: AdmissionRequest, now: Moment, slot: int | None) -> Steps:
        if (request.cost or 0) > EXACT:
            msg = "a call's worst case is larger than a shared state can count"
            raise StateError(msg)
        if self._server_time:  # where time is not the server's nothing happens by itself
            self._keeper.start()
        return self._session.admit(request, now, None if self._fallback.withdraw(slot, now) else slot)

    # What can wait ----------------------------------------------------------------------------

    def _tell(self, finish: Finish | None, now: Moment) -> None:
        """Tell *finish* now, or as soon as the server can be reached."""
        if finish is None:
            return
        try:
            self._run(self._session.finish(finish, now))
        except StateError as error:
            self._put_off(finish, error)
        except BaseException as error:
            self._put_off(finish, error)
            raise

    async def _atell(self, finish: Finish | None, now: Moment) -> None:
        if finish is None:
            return
        try:
            await self._arun(self._session.finish(finish, now))
        except StateError as error:
            self._put_off(finish, error)
        except BaseException as error:
            self._put_off(finish, error)
            raise

    def _put_off(self, finish: Finish, error: BaseException) -> None:
        _log.warning("the end of a call is told to the shared state later (%s)", str(error) or type(error).__name__)
        self._session.postpone(finish)

    def _told(self, steps: Steps) -> None:
        try:
            self._run(steps)
        except StateError as error:
            _log.warning("%s", error)

    async def _atold(self, steps: Steps) -> None:
        try:
            await self._arun(steps)
        except StateError as error:
            _log.warning("%s", error)

    def _tell_late(self) -> None:
        for finish in self._session.overdue(self._clock.moment()):
            self._tell(finish, self._clock.moment())

    def _keep_up(self) -> None:
        self._run(self._session.renew(self._clock.moment()))
        self._tell_late()

    def _polls(self, now: Moment) -> bool:
        """Whether it is time to look at the circuits again: whoever only wants events does not pay a round trip."""
        due = self._polled_at is None or now.mono - self._polled_at >= _POLL_EVERY or not self._server_time
        if due:
            self._polled_at = now.mono
        return due

    def _views(self, now: Moment) -> Seen:
        return views_of(self._run(self._session.views(now)), self._session.rules, self._started.wall)


def _decoded(ask: Ask, raw: bytes) -> object:
    return _DECODERS.get(ask.verb, decode)(raw)
