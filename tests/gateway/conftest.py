"""A running server in front of the sandbox, on either data path; and an upstream that says exactly what it is told."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Literal

import httpx2
import pytest

from switchgear.config import Config, load_text
from switchgear.drills.sandbox import Sandbox
from switchgear.server import Server

CONFIG = """
[services.llm]
kind = "openai"
provider = "openai"
base_url = "{url}"
limits = {{ requests_per_minute = 100000 }}
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[services.claude]
kind = "anthropic"
provider = "anthropic"
base_url = "{url}"
limits = {{ requests_per_minute = 1 }}
max_wait = "0s"
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[services.web]
kind = "http"
base_url = "{url}/prefix"
limits = {{ requests_per_minute = 100000 }}
prices = {{ "*" = {{ request = "0.001" }} }}

[services.strict]
kind = "openai"
base_url = "{url}"

[services.dead]
kind = "openai"
base_url = "http://127.0.0.1:9"
breaker = {{ failure_threshold = 2 }}
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[services.function]
kind = "http"

[[budgets]]
name = "three-calls"
match = {{ job = "three" }}
limit_usd = "{three}"
"""


class Origin:
    """An upstream on loopback that answers each request with the next of *answers*, the last one for ever.

    An answer is raw bytes, or a function that does with the connection what it wants; one that
    returns False closes it.
    """

    def __init__(self) -> None:
        self.answers: list[bytes | Callable[[socket.socket], bool]] = []
        self.requests: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://{}:{}".format(*self._listener.getsockname())
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while (request := _one_request(connection)) is not None:
                self.requests.append(request)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if isinstance(answer, bytes):
                    connection.sendall(answer)
                elif not answer(connection):
                    return


def _one_request(connection: socket.socket) -> bytes | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    length = int(fields.get(b"content-length", b"0"))
    chunked = b"transfer-encoding" in fields
    while len(body) < length or (chunked and not body.endswith(b"0\r\n\r\n")):
        piece = connection.recv(1 << 20)
        if not piece:
            return None
        body += piece
    return head + b"\r\n\r\n" + body


@pytest.fixture(scope="module")
def one_origin() -> Iterator[Origin]:
    """An upstream for all tests of a module."""
    one = Origin()
    yield one
    one.close()


@pytest.fixture
def origin(one_origin: Origin) -> Origin:
    """An upstream that says exactly what it is told; nothing yet."""
    one_origin.answers.clear()
    one_origin.requests.clear()
    return one_origin


@pytest.fixture(params=["hot", "plain"])
def data_path(request: pytest.FixtureRequest) -> Literal["hot", "plain"]:
    """Which way requests for services take."""
    path: Literal["hot", "plain"] = request.param
    return path


@pytest.fixture
def server(
    sandbox: Sandbox, make_config: Callable[[str], Config], data_path: Literal["hot", "plain"]
) -> Iterator[Server]:
    """A running server in front of the sandbox."""
    config = make_config(CONFIG.format(url=sandbox.url, three="0.003"))
    with Server(config, port=0, data_path=data_path) as running:
        yield running


@pytest.fixture(scope="module")
def pair(one_origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Two servers in front of one upstream: on the hot path, and on the plain one."""
    folder = tmp_path_factory.mktemp("ledgers")

    def start(path: Literal["hot", "plain"]) -> Server:
        text = f'[ledger]\nurl = "sqlite:///{folder}/{path}.db"\n' + RAW.format(url=one_origin.url)
        return Server(load_text(text, environ={}), port=0, data_path=path)

    with start("hot") as hot, start("plain") as plain:
        yield hot, plain


RAW = """
[services.raw]
kind = "openai"
provider = "openai"
base_url = "{url}/base"
prices = {{ "m" = {{ input = "1", output = "2" }} }}
unpriced = "allow"
timeout = "3s"
breaker = {{ failure_threshold = 1000, minimum_calls = 1000 }}
[[budgets]]
name = "all"
limit_usd = "1000"
"""


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    """Plain HTTP to the gateway, adding as little as httpx2 allows."""
    with httpx2.Client(base_url=server.url, timeout=10) as one:
        yield one
