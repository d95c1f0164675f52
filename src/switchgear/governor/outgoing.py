"""The headers that a request goes on with, and those that we add to its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.errors import ConfigError
from switchgear.governor.headers import OURS, sieve_without
from switchgear.money import usd_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchgear.config.model import ServiceConfig
    from switchgear.governor.asked import Asked
    from switchgear.governor.gate import Admitted, Settlement
    from switchgear.governor.headers import Headers
    from switchgear.wire.base import Dialect, RequestFacts

__all__ = ["added_headers", "auth_headers", "outgoing_headers"]


def outgoing_headers(asked: Asked, index: Mapping[str, str], *, facts: RequestFacts, auth: Headers) -> Headers:
    """Return the headers of the caller as they go on; of a body that is here, the length is not among them.

    Args:
        asked: the request as the caller made it.
        index: its headers by name.
        facts: what the request says.
        auth: what proves who we are, in place of what the caller has put there; empty: that passes.
    """
    drop = ["host", *asked.caller.carried, *(name for name, _ in auth)]
    if not asked.unread:
        drop.append("content-length")
    if auth or asked.caller.key is not None:
        drop += ["authorization", "x-api-key", "api-key"]
    if facts.adds_usage:
        drop.append("accept-encoding")  # a chunk can only be taken out of what can be read
    out = sieve_without(*drop)(asked.headers, index)
    if facts.adds_usage:
        out.append(("accept-encoding", "identity"))
    return [*out, *auth]


def auth_headers(key: str | None, *, service: str, config: ServiceConfig, dialect: Dialect, asked: Asked) -> Headers:
    """Return the headers that carry the service's own *key*; none: what the caller brings goes on.

    Raises:
        ConfigError: the key that the service names is missing, and the caller has none of the provider's.
    """
    if key is None:
        if asked.caller.key is not None and (variable := config.api_key_env) is not None:
            msg = f"service {service!r} has no provider key to send a Switchgear caller with: {variable} is not set"
            raise ConfigError(msg)
        return []
    header = config.api_key_header
    if header is None:
        return list(dialect.auth_headers(key, url=f"{config.base_url}{asked.path}"))
    return [(header.lower(), f"Bearer {key}" if header.lower() == "authorization" else key)]


def added_headers(admitted: Admitted, settlement: Settlement | None) -> Headers:
    """Return what we add to an answer; the cost only where it is known before the answer goes."""
    headers = [
        (f"{OURS}call-id", admitted.call.id),
        (f"{OURS}wait-ms", str(admitted.waited_us // 1000)),
    ]
    if admitted.call.degraded_from is not None:
        headers.append((f"{OURS}degraded-from", admitted.call.degraded_from))
    if settlement is not None and settlement.cost is not None:
        headers.append((f"{OURS}cost-usd", usd_text(settlement.cost)))
    return headers
