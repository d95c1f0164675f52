from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def until(done: Callable[[], bool]) -> None:
    """Wait for what a server does by itself."""
    end = time.monotonic() + 25
    while not done():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


class Sink:
    """A receiver on loopback that keeps what it was sent, and answers with *status*."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                sink.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(sink.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.got]

    @property
    def told(self) -> list[tuple[str, str]]:
        """Rule and state of each alert, in the order in which they were told."""
        return [(one["rule"], one["state"]) for body in self.bodies for one in body["alerts"]]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Return a receiver."""
    made = Sink()
    yield made
    made.close()
