"""A pass-through that counts: what it says was served is nobody's word but the upstream's."""

from __future__ import annotations

import threading
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Self, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["CountingRelay"]

_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host"})
_TIMEOUT: Final = 120.0
_PIECE: Final = 65536


class CountingRelay:
    """Stands before an upstream on loopback, passes everything on, and counts the answers.

    The local model's engine counts tokens but no requests, and the gate's own ledger may not be its
    own witness; so the demo counts here.

    Args:
        upstream: its URL, ``http://HOST:PORT``.
    """

    def __init__(self, upstream: str) -> None:
        self._server: Final = _Server(upstream)
        self._thread: Final = threading.Thread(target=self._server.serve_forever, name="relay", daemon=True)

    @property
    def url(self) -> str:
        """Where to send what is for the upstream."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def served(self) -> int:
        """Requests that the upstream answered, with whatever status."""
        return self._server.served

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream: Final = urlsplit(upstream).netloc
        self.served = 0
        self._lock: Final = threading.Lock()

    def count(self) -> None:
        with self._lock:
            self.served += 1

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - socketserver's own
        """A client that goes away mid-answer is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._relay()

    def do_POST(self) -> None:
        self._relay()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's own name
        """Say nothing: standard error is for the demo."""

    def _relay(self) -> None:
        server = cast("_Server", self.server)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        upstream = HTTPConnection(server.upstream, timeout=_TIMEOUT)
        try:
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            server.count()
            self._pass_on(answer)
        except (OSError, HTTPException):
            # What can't be passed on whole is broken off, so that the other side sees it too.
            self.close_connection = True
        finally:
            upstream.close()

    def _pass_on(self, answer: HTTPResponse) -> None:
        is_sized = answer.headers.get("content-length") is not None
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        if not is_sized:
            self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while piece := answer.read1(_PIECE):
            self.wfile.write(piece if is_sized else b"%x\r\n%b\r\n" % (len(piece), piece))
        if not is_sized:
            self.wfile.write(b"0\r\n\r\n")
