"""One request from the gate to its answer, on the loop's callbacks, without a task.

It goes as long as nothing takes time but the ledger's commits and the upstream's answer. It performs
the steps of the same journey as *clients.async_stream.drive*. Whatever it does not know (a place in
line, a new connection, a stream, a further attempt) it hands over to a task, which goes on with the
very step.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

from switchgear.clients.async_stream import drive, perform
from switchgear.clients.journey import Admit, Arrival, Read, Send
from switchgear.errors import LedgerError
from switchgear.gateway.pool import Pool
from switchgear.gateway.reply import AHEAD
from switchgear.governor.admitted import Leaving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator

    from switchgear.clients.journey import Answer, Step
    from switchgear.clients.passage import Passage
    from switchgear.gateway.inbound import Inbound
    from switchgear.gateway.reply import Reply
    from switchgear.gateway.serving import Counter
    from switchgear.governor.admitted import Settling

__all__ = ["Ride", "Station"]


class Station(Protocol):
    """Where a ride began, and where its answer goes."""

    def arrived(self, answer: Answer) -> None:
        """Take the *answer*; its body is bytes."""

    def go_on(self, rest: Coroutine[Any, Any, Answer]) -> asyncio.Task[None]:
        """Return the task that awaits the answer from *rest* and sends it."""

    def broke_down(self, error: Exception) -> None:
        """Take note that there is no answer: something is wrong with us."""

    def called_off(self) -> None:
        """Take note that there is no answer, since somebody has cancelled the ride."""


class Ride:
    """One request of a client on its way.

    Args:
        counter: where it is served.
        request: what is asked, whole.
        station: who is told the answer, once.
    """

    __slots__ = (
        "_counter",
        "_gate",
        "_leaving",
        "_over",
        "_passage",
        "_reading",
        "_reply",
        "_request",
        "_settling",
        "_station",
        "_steps",
        "_taken",
        "_task",
    )

    def __init__(self, counter: Counter, request: Inbound, station: Station) -> None:
        self._counter: Final = counter
        self._gate: Final = counter.gate
        self._request: Final = request
        self._station: Final = station
        self._steps: Generator[Step, Any, Answer]
        self._task: asyncio.Task[None] | None = None
        self._leaving: Leaving | None = None  # its reservation is being committed
        self._passage: Passage | None = None
        self._reply: Reply | None = None  # it is with the upstream
        self._reading: Read | None = None
        self._taken = b""
        self._settling: Settling
        self._over = False

    def start(self) -> None:
        """Begin; it may be over when this returns."""
        counter, request = self._counter, self._request
        answer = counter.turned_away(request)
        if answer is not None:
            self._station.arrived(answer)
        elif counter.rides and isinstance(request.body, bytes):
            try:
                self._steps = counter.journey(request)
            except Exception as error:  # noqa: BLE001 - the counter knows which of them are answers
                self._fail(error)
            else:
                self._advance(None)
        else:
            self._task = self._station.go_on(counter.answer(request))

    def cancel(self, msg: object = None) -> None:
        """Call it off in the next turn of the loop, as a task's *cancel* does.

        A task that goes on has begun by then: before, it would not know what it has to give back.
        """
        asyncio.get_running_loop().call_soon(self._cancel, msg)

    def _cancel(self, msg: object) -> None:
        """Cut what is with the upstream, and settle it."""
        if self._task is not None:
            self._task.cancel(msg)
            return
        if self._over:
            return
        self._over = True
        leaving, self._leaving = self._leaving, None
        reply, self._reply = self._reply, None
        if leaving is not None:
            self._gate.abandon(leaving.admitted, asyncio.CancelledError())
        self._steps.close()
        if reply is None or self._passage is None:
            self._station.called_off()
        else:
            reply.release()
            self._call_off(self._passage)

    def _advance(self, came: object) -> None:
        """Take the next step after what *came* of the one before."""
        try:
            step = self._steps.send(came)
        except StopIteration as end:
            self._over = True
            self._station.arrived(end.value)
        except Exception as error:  # noqa: BLE001 - as in start
            self._fail(error)
        else:
            self._take(step)

    def _take(self, step: Step) -> None:
        if type(step) is Admit:
            self._admit(step)
        elif type(step) is Send:
            self._send(step)
        elif type(step) is Read:
            self._read(step)
        else:
            self._hand_over(self._perform(step))

    def _admit(self, step: Admit) -> None:
        try:
            found = self._gate.begin_admission(step.call, max_wait_us=step.max_wait_us, cheaper=step.cheaper)
        except Exception as error:  # noqa: BLE001 - the journey decides
            self._hand_over(_raising(error))
            return
        if isinstance(found, Leaving):
            self._leaving = found
            found.commit.then(lambda: self._guarded(self._committed))
        else:
            self._hand_over(found)

    def _committed(self) -> None:
        leaving, self._leaving = self._leaving, None
        if leaving is None:
            return
        problem = leaving.commit.problem
        if problem is not None:
            error = LedgerError(*problem.args)
            self._gate.abandon(leaving.admitted, error)
            self._hand_over(_raising(error))
            return
        self._gate.confirm(leaving)
        self._advance(leaving.admitted)

    def _send(self, step: Send) -> None:
        passage = step.passage
        route = self._counter.routes.get(passage.exchange.call.service)
        if step.left_us is None and passage.exchange.left_us is None and route is not None:
            pool = route.upstream
            connection = pool.kept() if isinstance(pool, Pool) else None
            if connection is not None and isinstance(pool, Pool):
                self._passage = passage
                outgoing = self._counter.outgoing(passage.exchange, route, self._request.body, None)
                self._reply = reply = pool.ask(connection, outgoing)
                reply.tell(self._listen)
                return
        self._hand_over(self._perform(step))

    def _listen(self) -> None:
        self._guarded(self._heard)

    def _heard(self) -> None:
        """Look what has come of the answer."""
        reply = self._reply
        if reply is None:
            return
        if self._reading is not None:
            self._read(self._reading)
        elif reply.error is not None:
            self._lost(reply, reply.error)
        elif reply.status:
            self._advance(Arrival(reply.status, reply.headers, reply))
        else:
            reply.tell(self._listen)

    def _lost(self, reply: Reply, error: Exception) -> None:
        """The upstream has not answered: try over another connection what may be sent twice, else settle."""
        self._reply = None
        reply.release()
        passage = self._passage
        if passage is None:
            return
        if passage.exchange.repeat == "always" and not reply.begun:
            self._hand_over(self._perform(Send(passage, None)))
        else:
            self._hand_over(self._failed(passage, error))

    def _read(self, step: Read) -> None:
        reply, passage = self._reply, self._passage
        if reply is None or passage is None:
            return
        exchange = passage.exchange
        if not step.limit or not exchange.in_one_piece or reply.error is not None or reply.size > AHEAD:
            self._reply = None
            self._hand_over(self._perform(step))
        elif not reply.over:
            self._reading = step
            reply.tell(self._listen)
        else:
            self._reply = None
            self._taken = exchange.feed(reply.take())
            exchange.end()
            reply.release()
            passage.close()
            self._settling = settling = self._gate.begin_settlement(passage.admitted, passage.ended())
            settling.commit.then(lambda: self._guarded(self._settled))

    def _settled(self) -> None:
        settling, passage = self._settling, self._passage
        self._gate.conclude(settling, settling.commit.problem)
        if passage is not None and not self._over:
            passage.settlement = settling.settlement
            rest = passage.exchange.flush()
            self._advance(self._taken + rest if self._taken else rest)

    def _call_off(self, passage: Passage) -> None:
        """Settle a call that nobody waits for any more."""
        settling = self._gate.begin_settlement(passage.admitted, passage.left())

        def settled() -> None:
            self._gate.conclude(settling, settling.commit.problem)
            self._station.called_off()

        settling.commit.then(settled)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do *work* for whoever must go on, whatever comes of it: the ledger, or a connection."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the edge of the ride, as a task would be
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._over = True
        answer = self._counter.explained(self._request, error)
        if answer is None:
            self._give_back(error)
            self._station.broke_down(error)
        else:
            self._station.arrived(answer)

    def _give_back(self, error: Exception) -> None:
        """Settle what is open, for a reason that nobody has thought of."""
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.release()
        passage = self._passage
        if passage is not None and passage.close():
            self._gate.begin_settlement(passage.admitted, passage.failed(error))

    async def _failed(self, passage: Passage, error: Exception) -> None:
        await self._gate.asettle(passage.admitted, passage.failed(error))
        raise error

    def _perform(self, step: Step) -> Coroutine[Any, Any, object]:
        return perform(self._gate, step, self._counter.sender(self._request))

    def _hand_over(self, begun: Awaitable[object]) -> None:
        """Let a task go on, which awaits first what has *begun* of the step."""
        counter, request = self._counter, self._request
        rest = drive(self._gate, self._steps, counter.sender(request), begun)
        self._task = self._station.go_on(counter.answer(request, rest))


async def _raising(error: Exception) -> None:
    raise error
