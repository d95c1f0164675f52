"""What is around Switchgear: port, optional packages."""

from __future__ import annotations

import socket
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from switchgear.cli.errors import UnreachableError
from switchgear.cli.fetch import fetch
from switchgear.cli.serve import SERVER_PACKAGES
from switchgear.cli.settings import address
from switchgear.insight.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.config.model import Config

__all__ = ["check_extras", "check_port"]


def check_port(config: Config) -> Iterator[Finding]:
    """The port is free, or ours already."""
    url, host, port = address(config), config.server.host, config.server.port
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        taken = error.strerror
    else:
        yield Finding("ok", "port", f"{port} of {host} is free; no server is running")
        return
    try:
        health = fetch(url, "/api/health?strict=0")
    except UnreachableError:
        health = {}
    if "version" in health and "status" in health:
        yield Finding("ok", "port", f"Switchgear {health['version']} answers at {url} and is {health['status']}")
    else:
        text = f"can't listen on {host} port {port}: {taken}"
        yield Finding("fail", "port", text, f"ss -ltnp 'sport = :{port}' shows who does; or set server.port")


def check_extras() -> Iterator[Finding]:
    """Only the server is missed where it is missing; the others are optional."""
    if all(find_spec(package) for package in SERVER_PACKAGES):
        yield Finding("ok", "server", f"installed (fastapi {version('fastapi')}, uvicorn {version('uvicorn')})")
    else:
        text = "not installed: `switchgear serve` and the dashboard need it"
        yield Finding("warn", "server", text, 'pip install "switchgear[server]"')
    sdks = [text for text in map(_installed, ("openai", "anthropic")) if text]
    yield Finding("ok", "sdk", ", ".join(sdks) or 'not installed (optional; pip install "switchgear[sdk]")')
    from switchgear.local import MODEL, missing

    lacking = missing()
    yield Finding("ok", "local", f"{MODEL} is installed" if lacking is None else f"not installed (optional): {lacking}")


def _installed(package: str) -> str | None:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return None
