"""Where a server may listen, and the socket that does."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, NamedTuple

from switchgear.errors import ConfigError
from switchgear.gateway.loopback import is_loopback

if TYPE_CHECKING:
    from switchgear.config.model import ServerConfig
    from switchgear.server.parts import Side

__all__ = ["Sockets", "listen", "open_sockets", "require_guarded", "require_guards", "url_of"]


class Sockets(NamedTuple):
    """What a server listens on.

    Attributes:
        main: where the gateway is, and everything else where *admin* is None.
        admin: where dashboard and API are.
    """

    main: socket.socket
    admin: socket.socket | None

    def close(self) -> None:
        """Listen no more."""
        for one in self:
            if one is not None:
                one.close()


def open_sockets(server: ServerConfig, *, host: str | None, port: int | None, only: Side | None) -> Sockets:
    """Return what a server of *server* listens on; *host* and *port* are in place of its own.

    Raises:
        ConfigError: an address is open to others and asks nobody who they are, or can't be had.
    """
    admin = server.admin
    if only == "dashboard" and admin is not None:
        at = host if host is not None else admin[0], admin[1] if port is None else port
        admin = None
    else:
        at = host if host is not None else server.host, server.port if port is None else port
    if admin is None:
        require_guards(server, at[0], gateway=only != "dashboard")
        return Sockets(listen(*at), None)
    require_guards(server, at[0], gateway=True, dashboard=False)
    require_guards(server, admin[0], gateway=False)
    main = listen(*at)
    try:
        return Sockets(main, listen(*admin))
    except ConfigError:
        main.close()
        raise


def require_guards(server: ServerConfig, host: str, *, gateway: bool, dashboard: bool = True) -> None:
    """Refuse *host* and the names of ``server.hosts`` unless what is there for others asks who they are.

    Args:
        server: says whether it does.
        host: the address to listen on.
        gateway: whether the gateway is served there; pages alone need no keys.
        dashboard: whether pages and API are; the gateway alone needs no password.

    Raises:
        ConfigError: as *require_guarded*.
    """
    keys, password = server.require_keys or not gateway, server.users_file is not None or not dashboard
    require_guarded(host, keys=keys, password=password, setting="server.host" if gateway else "server.admin_host")
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
