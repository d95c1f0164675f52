"""TLS to upstreams and proxies on the way to them, from the gateway on both paths and from Python."""

from __future__ import annotations

import contextlib
import http.server
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest

from switchgear.config import Config
from switchgear.errors import ConfigError
from switchgear.ledger.views import CallFilter
from switchgear.server import Server

BODY = b'{"ok":true}'
PATHS = ["hot", "plain"]


class _Answers(http.server.BaseHTTPRequestHandler):
    """Answers every request with *BODY*."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has there
        """Say nothing."""


class _Quiet(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust us leaves in the handshake: that is what is tested."""


class Proxy:
    """An HTTP proxy on loopback: tunnels, and plain requests in absolute form."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://{}:{}".format(*self._listener.getsockname())
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            data = connection.recv(65536)
            method, target, _ = data.split(b"\r\n", 1)[0].decode().split(" ")
            self.asked.append(f"{method} {target}")
            host, _, port = target.removeprefix("http://").split("/")[0].partition(":")
            with socket.create_connection((host, int(port))) as upstream:
                if method == "CONNECT":
                    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    upstream.sendall(data)
                threading.Thread(target=_pass_on, args=(upstream, connection), daemon=True).start()
                _pass_on(connection, upstream)


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)


class Place(NamedTuple):
    """An upstream that speaks TLS, and the authority that vouches for it, as a file."""

    url: str
    ca_file: Path


def certificate(folder: Path, *, name: str) -> Path:
    """Return a new file with a key and a certificate for *name* that vouches for itself."""
    file = folder / f"{name}.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName={name}", "-days", "2"]
    done = subprocess.run([*request, *names, "-keyout", "-", "-out", "-"], capture_output=True, check=True)
    file.write_bytes(done.stdout)
    return file


@pytest.fixture(scope="module")
def serve_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Place]]:
    """Return a function that starts an upstream whose certificate is for the name that it is given."""
    folder = tmp_path_factory.mktemp("certificates")
    running: list[_Quiet] = []

    def start(name: str) -> Place:
        file = certificate(folder, name=name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        server = _Quiet(("127.0.0.1", 0), _Answers)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        running.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return Place(f"https://127.0.0.1:{server.server_port}", file)

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def secure(serve_tls: Callable[[str], Place]) -> Place:
    """An upstream whose certificate is for its address."""
    return serve_tls("IP:127.0.0.1")


@pytest.fixture
def plain() -> Iterator[str]:
    """The address of an upstream without TLS."""
    with _Quiet(("127.0.0.1", 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy that the environment names for everything."""
    one = Proxy()
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, one.url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield one
    one.close()


def config_of(url: str, ca_file: Path | None) -> str:
    """Return a configuration of one service at *url*."""
    trust = "" if ca_file is None else f'ca_file = "{ca_file}"\n'
    breaker = "breaker = { failure_threshold = 1000, minimum_calls = 1000 }"
    return f'[services.up]\nkind = "http"\nbase_url = "{url}"\n{trust}{breaker}\n'


def through_the_gateway(config: Config, path: str) -> int:
    """Return the status of a call through a gateway."""
    # Python's own client, as it takes no proxy for this machine's own gateway.
    with Server(config, port=0, data_path="hot" if path == "hot" else "plain") as server:
        with httpx2.Client(trust_env=False) as client:
            status = client.get(f"{server.url}/up/x").status_code
        (row,) = server.governor.ledger.reader.calls(CallFilter()).items
        assert row.error == (None if status == 200 else "ConnectError")
        return status


@pytest.mark.parametrize("path", PATHS)
def test_the_gateway_trusts_whom_the_service_names(
    secure: Place, make_config: Callable[[str], Config], path: str
) -> None:
    """With ca_file the upstream's own authority is trusted; without it the call is a 502 and nothing was sent."""
    assert through_the_gateway(make_config(config_of(secure.url, secure.ca_file)), path) == 200


@pytest.mark.parametrize("path", PATHS)
def test_the_gateway_trusts_nobody_else(secure: Place, make_config: Callable[[str], Config], path: str) -> None:
    """An authority that nobody has named is not trusted: 502, and nothing was sent."""
    assert through_the_gateway(make_config(config_of(secure.url, None)), path) == 502


@pytest.mark.parametrize("path", PATHS)
def test_the_gateway_sees_who_the_certificate_is_for(
    serve_tls: Callable[[str], Place], make_config: Callable[[str], Config], path: str
) -> None:
    """A certificate of a trusted authority for another name is refused: 502."""
    other = serve_tls("DNS:elsewhere.example")

    assert through_the_gateway(make_config(config_of(other.url, other.ca_file)), path) == 502


@pytest.mark.parametrize("path", PATHS)
def test_the_gateway_goes_through_a_tunnel(
    secure: Place, proxy: Proxy, make_config: Callable[[str], Config], path: str
) -> None:
    """With https_proxy set TLS goes end to end through CONNECT, with the same trust."""
    assert through_the_gateway(make_config(config_of(secure.url, secure.ca_file)), path) == 200
    assert proxy.asked == [f"CONNECT {secure.url.removeprefix('https://')}"]


@pytest.mark.parametrize("path", PATHS)
def test_the_gateway_asks_a_proxy(plain: str, proxy: Proxy, make_config: Callable[[str], Config], path: str) -> None:
    """With http_proxy set a request without TLS is asked of the proxy, in absolute form."""
    assert through_the_gateway(make_config(config_of(plain, None)), path) == 200
    assert proxy.asked == [f"GET {plain}/x"]


@pytest.mark.parametrize("path", PATHS)
def test_no_proxy_is_kept_to(
    plain: str,
    proxy: Proxy,
    make_config: Callable[[str], Config],
    path: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A host in no_proxy is reached straight."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    assert through_the_gateway(make_config(config_of(plain, None)), path) == 200
    assert proxy.asked == []


@pytest.mark.parametrize("tunnel", [False, True])
async def test_python_clients_trust_and_tunnel_alike(
    secure: Place, make_config: Callable[[str], Config], request: pytest.FixtureRequest, *, tunnel: bool
) -> None:
    """Sync and async clients trust ca_file, straight and through a proxy."""
    import switchgear as sg

    proxy: Proxy | None = request.getfixturevalue("proxy") if tunnel else None
    with sg.Governor(make_config(config_of(secure.url, secure.ca_file))) as gov:
        with gov.http_client("up") as client:
            assert client.get(f"{secure.url}/x").content == BODY
        async with gov.async_http_client("up") as aclient:
            assert (await aclient.get(f"{secure.url}/x")).content == BODY
    if proxy is not None:
        assert proxy.asked == [f"CONNECT {secure.url.removeprefix('https://')}"] * 2


@pytest.mark.parametrize(("content", "why"), [(None, "can't be read"), ("no certificate", "no certificate in PEM")])
def test_a_bad_file_of_authorities_is_told(
    tmp_path: Path, make_config: Callable[[str], Config], content: str | None, why: str
) -> None:
    """A ca_file that can't be used is a mistake in the configuration, told before anything runs."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content, encoding="utf-8")

    with pytest.raises(ConfigError, match=why):
        make_config(config_of("https://127.0.0.1:1", file))
