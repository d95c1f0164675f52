"""One call from request to answer, over all its attempts: what to do next, without doing it.

*journey* is a generator. It yields a step; whoever drives it, sync or async, over httpx2 or the
gateway's own client, performs it and sends back what came of it, or throws in what was raised. So
there is one flow for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from switchgear.clients.passage import Passage
from switchgear.errors import Refused, StallError
from switchgear.governor.exchange import COLLECTED
from switchgear.governor.headers import OURS

if TYPE_CHECKING:
    from collections.abc import Generator

    from switchgear.calls import Call
    from switchgear.clients.passage import Faults
    from switchgear.governor.attempts import Attempts
    from switchgear.governor.exchange import Exchange
    from switchgear.governor.gate import Admitted
    from switchgear.governor.headers import Headers
    from switchgear.governor.planning import Cheaper

__all__ = ["Admit", "Answer", "Arrival", "Cut", "Pause", "Read", "Refusals", "Send", "Step", "journey"]

Refusals = Literal["response", "raise"]


class Arrival(NamedTuple):
    """The head of an upstream's answer; *source* is where its bytes are read from, the driver's business."""

    status: int
    headers: Headers
    source: Any


class Answer(NamedTuple):
    """What the caller gets: *body* is all of it, or the driver's stream that the rest comes from.

    *source* is that of the arrival behind it; None for a refusal of ours.
    """

    status: int
    headers: Headers
    body: Any
    source: Any


class Admit(NamedTuple):
    """Ask the gate; back comes the *Admitted*, or *Refused* is thrown in."""

    call: Call
    max_wait_us: int | None
    cheaper: Cheaper


class Send(NamedTuple):
    """Send the passage's request; back comes its *Arrival*. Who can't settles it and throws in what was raised.

    *left_us*: no time-out of this attempt is longer, so many microseconds; None: as configured.
    """

    passage: Passage
    left_us: int | None


class Read(NamedTuple):
    """Read more than *limit* bytes of the answer, or all of it; back comes its body. None: read nothing yet."""

    passage: Passage
    arrival: Arrival
    limit: int | None


class Cut(NamedTuple):
    """Let go of the upstream; back come the bytes that were read of *body*."""

    body: Any


class Pause(NamedTuple):
    """Wait for so many seconds on the gate's clock."""

    seconds: float


Step = Admit | Send | Read | Cut | Pause


class _Refusal(NamedTuple):
    exchange: Exchange
    error: Refused


class _Came(NamedTuple):
    passage: Passage
    arrival: Arrival
    headers: Headers
    body: Any


def journey(attempts: Attempts, faults: Faults, *, refusals: Refusals) -> Generator[Step, Any, Answer]:
    """Yield the steps of a call; return what the caller gets.

    What an attempt came to stands until a later attempt has come to something itself: a refusal of
    the second attempt does not hide the answer, or the error, of the first.

    Args:
        attempts: of the call, the first one ready to go.
        faults: the errors of the driver's transport.
        refusals: ``raise`` raises the refusal of a first attempt instead of answering it.

    Raises:
        Refused: the first attempt was refused, and *refusals* is ``raise``.
        ConfigError: a service has no address.
        StallError: the last attempt that went out did not answer in time.
        Exception: one of *faults*: it got no answer.
    """
    asked = attempts.exchange.call.service
    result: _Came | _Refusal | Exception | None = None
    while True:
        exchange = attempts.exchange
        exchange.check_address()
        try:
            admitted: Admitted = yield Admit(exchange.call, attempts.max_wait_us, exchange.cheaper)
        except Refused as error:
            result = _Refusal(exchange, error) if result is None else result
            if attempts.after_refusal(error.refusal):
                continue
            break
        attempts.exchange = exchange = exchange.granted(admitted)
        attempts.sent()
        passage = Passage(exchange, admitted, faults)
        try:
            arrival: Arrival = yield Send(passage, attempts.left_us if exchange.call.attempt > 1 else None)
            headers = exchange.begin(arrival.status, arrival.headers)
            limit = COLLECTED if not exchange.streaming else 0 if attempts.may_go_on else None
            result = _Came(passage, arrival, headers, (yield Read(passage, arrival, limit)))
        except (faults.every, StallError) as error:
            result = error
        pause = None if passage.failure is None else attempts.after_failure(passage.failure)
        if pause is None:
            break
        if isinstance(result, _Came):
            result = result._replace(body=(yield Cut(result.body)))
        if pause > 0:
            yield Pause(pause)
    if isinstance(result, _Came):
        return _answered(result, attempts, asked)
    if isinstance(result, _Refusal):
        return _refused(result, refusals)
    raise result


def _refused(refusal: _Refusal, refusals: Refusals) -> Answer:
    if refusals == "raise":
        raise refusal.error
    wire = refusal.exchange.refusal(refusal.error.refusal)
    return Answer(wire.status, [*wire.headers, ("content-length", str(len(wire.body)))], wire.body, None)


def _answered(came: _Came, attempts: Attempts, asked: str) -> Answer:
    passage, headers = came.passage, came.headers
    headers += passage.exchange.success_headers(passage.admitted, passage.settlement)
    if attempts.made > 1:
        headers.append((f"{OURS}attempts", str(attempts.made)))
        if passage.failure is not None and not any(name.lower() == "x-should-retry" for name, _ in headers):
            headers.append(("x-should-retry", "false"))  # an SDK that tries again would multiply our attempts
    if (service := passage.exchange.call.service) != asked:
        headers.append((f"{OURS}service", service))
    return Answer(came.arrival.status, headers, came.body, came.arrival.source)
