"""The sandbox's own book: what reached it and what it served, to hold a ledger against."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.clock import Clock

__all__ = ["Book", "ReceivedRequest", "Stats"]

_KEPT: Final = 1000
_ARRIVALS: Final = 100_000
_SECRET: Final = frozenset({"authorization", "x-api-key", "proxy-authorization", "cookie"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """One request as it arrived, to the byte.

    Attributes:
        id: the ``x-request-id`` that the answer bears.
        path: as sent, without the query.
        headers: name and value as received, names in lower case.
    """

    id: str
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """The hex digest of the body."""
        return hashlib.sha256(self.body).hexdigest()

    def header(self, name: str) -> str | None:
        """Return the first value of the header *name* (lower case), or None."""
        return next((value for key, value in self.headers if key == name), None)

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON, without its body, keys replaced by their SHA-256."""
        headers = [
            [name, f"sha256:{hashlib.sha256(value.encode()).hexdigest()}" if name in _SECRET else value]
            for name, value in self.headers
        ]
        return {
            "id": self.id,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": headers,
            "body_bytes": len(self.body),
            "body_sha256": self.sha256,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """One consistent reading of the book; the sandbox's own ``/-/`` paths are not in it.

    Attributes:
        received: requests that reached it whole.
        under_way: those that are neither answered to the end nor given up.
        served: those that got an answer begun: a status line was sent.
        aborted: those whose client left before the answer's end.
        streams_open: streams under way now.
        by_path: received requests.
        by_status: served answers.
        input_tokens: of the answers begun.
        output_tokens: really sent; of a stream that was cut, those before the cut.
    """

    received: int
    under_way: int
    served: int
    aborted: int
    streams_open: int
    by_path: dict[str, int]
    by_status: dict[int, int]
    input_tokens: int
    output_tokens: int

    def to_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return dataclasses.asdict(self)


class Book:
    """Counts, by *clock*. Thread-safe: the server writes in its thread, a test reads in its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock: Final = clock
        self._lock: Final = threading.Condition(threading.Lock())
        self._number = 0
        self._version = 0
        self._under_way = self._streams_open = 0
        self._clear()

    def _clear(self) -> None:
        self._served = self._aborted = 0
        self._input_tokens = self._output_tokens = 0
        self._by_path: Counter[str] = Counter()
        self._by_status: Counter[int] = Counter()
        self._requests: deque[ReceivedRequest] = deque(maxlen=_KEPT)
        self._arrivals: deque[int] = deque(maxlen=_ARRIVALS)

    def clear(self) -> None:
        """Start the book anew; request ids, and what is under way, go on."""
        with self._lock:
            self._clear()
            self._changed()

    def next_id(self) -> str:
        """Return an id that no request of this sandbox had before."""
        with self._lock:
            self._number += 1
            return f"req_sandbox_{self._number:06d}"

    def received(self, request: ReceivedRequest) -> None:
        """Note a request; the last 1000 are kept."""
        with self._lock:
            self._requests.append(request)
            self._arrivals.append(self._clock.moment().mono)
            self._by_path[request.path] += 1
            self._under_way += 1
            self._changed()

    def served(self, status: int, *, input_tokens: int, output_tokens: int, stream: bool) -> None:
        """Note that an answer begins; *output_tokens* are those of a body."""
        with self._lock:
            self._served += 1
            self._by_status[status] += 1
            self._input_tokens += input_tokens
            self._output_tokens += output_tokens
            self._streams_open += stream
            self._changed()

    def sent(self, tokens: int) -> None:
        """Note output tokens that go out in a stream."""
        with self._lock:
            self._output_tokens += tokens
            self._changed()

    def stream_ended(self) -> None:
        """Note that a stream is over, however it ended."""
        with self._lock:
            self._streams_open -= 1
            self._changed()

    def ended(self, *, aborted: bool) -> None:
        """Note that a request is over; *aborted*: its client left before the end of its answer."""
        with self._lock:
            self._under_way -= 1
            self._aborted += aborted
            self._changed()

    def stats(self) -> Stats:
        """Return one consistent reading."""
        with self._lock:
            return self._reading()

    def wait_until(self, condition: Callable[[Stats], bool], *, patience: float) -> Stats:
        """Return the first reading that *condition* accepts.

        Raises:
            TimeoutError: nothing happened for *patience* seconds.
        """
        while True:
            with self._lock:
                stats, seen = self._reading(), self._version
            if condition(stats):
                return stats
            with self._lock:
                if not self._lock.wait_for(lambda seen=seen: self._version != seen, patience):  # type: ignore[misc]
                    msg = f"the sandbox saw nothing for {patience} s: {stats}"
                    raise TimeoutError(msg)

    def requests(self) -> tuple[ReceivedRequest, ...]:
        """Return the last requests, oldest first."""
        with self._lock:
            return tuple(self._requests)

    def arrivals(self) -> tuple[int, ...]:
        """Return when the last 100,000 requests had arrived, in monotonic microseconds, oldest first."""
        with self._lock:
            return tuple(self._arrivals)

    def _changed(self) -> None:
        self._version += 1
        self._lock.notify_all()

    def _reading(self) -> Stats:
        return Stats(
            received=self._by_path.total(),
            under_way=self._under_way,
            served=self._served,
            aborted=self._aborted,
            streams_open=self._streams_open,
            by_path=dict(self._by_path),
            by_status=dict(self._by_status),
            input_tokens=self._input_tokens,
            output_tokens=self._output_tokens,
        )
