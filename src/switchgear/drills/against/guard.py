"""What keeps a drill from a real service: it is looked at before anything is sent, and proven before anything fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from switchgear.config.units import parse_duration
from switchgear.errors import ConfigError
from switchgear.gateway.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Target", "target_of"]

_KEYS = ("api_key_env", "api_key_file")
_EMPTY: tuple[object, ...] = (None, [], False, "")


class Target:
    """A service that may be drilled, as the gateway has it.

    Attributes:
        service: its name.
        port: of this machine, where its calls go and the drill is to listen.
        threshold: failures in a row that open its breaker.
        recovery: seconds until that is probed.
    """

    def __init__(self, service: str, port: int, *, threshold: int, recovery: float) -> None:
        self.service = service
        self.port = port
        self.threshold = threshold
        self.recovery = recovery


def target_of(settings: Iterable[Mapping[str, Any]], service: str) -> Target:
    """Return *service* as a target, by the *settings* (the items of ``/api/config``) of the gateway.

    Raises:
        ConfigError: there is no such service, or it could lead to anything but this machine: its upstream is
            no plain loopback address with a port, it has a key, a fallback, or is another gateway.
    """
    values = {item["key"]: item["value"] for item in settings}
    prefix = f"services.{service}."
    own = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    if not own:
        msg = f"the gateway has no service {service!r} to drill; docs/drills.md has one to copy"
        raise ConfigError(msg)
    parts = urlsplit(str(own.get("base_url") or ""))
    if parts.scheme != "http" or not is_loopback(parts.hostname or "") or not parts.port or parts.path not in {"", "/"}:
        msg = (
            f"services.{service}.base_url is {own.get('base_url')!r}: only a service whose upstream is "
            '"http://127.0.0.1:PORT", where the drill itself listens, may be drilled'
        )
        raise ConfigError(msg)
    for key, why in ((_KEYS[0], "a key"), (_KEYS[1], "a key"), ("fallback", "a fallback"), ("gateway", "a gateway")):
        if own.get(key) not in _EMPTY:
            msg = f"services.{service}.{key} is set: a service with {why} behind it may not be drilled"
            raise ConfigError(msg)
    recovery = parse_duration(own.get("breaker.recovery_timeout", "120s")) / 1e6
    return Target(service, parts.port, threshold=int(own.get("breaker.failure_threshold", 5)), recovery=recovery)
