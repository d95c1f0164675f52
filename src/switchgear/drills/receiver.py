"""A receiver of webhooks on loopback that keeps what it was sent."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final, NamedTuple, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Delivery", "Receiver"]


class Delivery(NamedTuple):
    """One request as it came: *headers* with names in lower case, *body* to the byte."""

    headers: dict[str, str]
    body: bytes


class Receiver:
    """Listens for as long as the ``with`` block lasts.

    Attributes:
        failing: how many of the next requests are answered 503.
    """

    def __init__(self) -> None:
        self.failing = 0
        self._lock: Final = threading.Lock()
        self._got: Final[list[Delivery]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(receiver.take(Delivery(headers, body)))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server: Final = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread: Final = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """Where to send to."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def got(self) -> tuple[Delivery, ...]:
        """Return what was taken, oldest first; what was answered 503 is not in it."""
        with self._lock:
            return tuple(self._got)

    def take(self, delivery: Delivery) -> int:
        """Keep *delivery*, unless it is to fail; return the status."""
        with self._lock:
            if self.failing:
                self.failing -= 1
                return 503
            self._got.append(delivery)
        return 200

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
