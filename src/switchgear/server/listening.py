"""Where a server may listen, and the socket that does."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from switchgear.errors import ConfigError
from switchgear.gateway.loopback import is_loopback

if TYPE_CHECKING:
    from switchgear.config.model import ServerConfig

__all__ = ["listen", "require_guarded", "require_guards", "url_of"]


def require_guards(server: ServerConfig, host: str, *, gateway: bool) -> None:
    """Refuse *host* and the names of ``server.hosts`` unless what is there for others asks who they are.

    Args:
        server: says whether it does.
        host: the address to listen on.
        gateway: whether the gateway is served; pages alone need no keys.

    Raises:
        ConfigError: as *require_guarded*.
    """
    keys, password = server.require_keys or not gateway, server.users_file is not None
    require_guarded(host, keys=keys, password=password)
    for name in server.hosts:
        require_guarded(name, keys=keys, password=password, setting="server.hosts")


def require_guarded(host: str, *, keys: bool, password: bool, setting: str = "server.host") -> None:
    """Refuse to listen on *host* if others could reach it, and either way in is open.

    Args:
        host: a name or an address.
        keys: whether the gateway asks every caller for a Switchgear key.
        password: whether the dashboard and its API ask for a sign-in.
        setting: where *host* is from.

    Raises:
        ConfigError: names *host*, and what is missing.
    """
    if is_loopback(host) or (keys and password):
        return
    missing = [
        what
        for what, is_there in (("keys for the gateway", keys), ("a password for the dashboard", password))
        if not is_there
    ]
    msg = (
        f"{setting} {host}: this server has not got {' and '.join(missing)}, "
        "so it listens on loopback addresses only (127.0.0.1, ::1, localhost)"
    )
    raise ConfigError(msg)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on *port* of *host*; 0 takes a free one.

    Raises:
        ConfigError: the port is in use, or the system does not give it.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            msg = (
                f"port {port} of {host} is in use; `ss -ltnp 'sport = :{port}'` shows by whom "
                "(another switchgear?), `--port` chooses another"
            )
        else:
            msg = f"can't listen on {host} port {port}: {error.strerror}"
        raise ConfigError(msg) from None


def url_of(listener: socket.socket) -> str:
    """Return where *listener* answers, e.g. ``http://127.0.0.1:8400``."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
