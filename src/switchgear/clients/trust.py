"""Whom TLS connections to upstreams trust: the usual authorities, and those of a service's ``ca_file``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx2

from switchgear.errors import ConfigError

if TYPE_CHECKING:
    import ssl

__all__ = ["Contexts", "context_for"]


def context_for(ca_file: str | None) -> ssl.SSLContext:
    """Return what trusts the usual authorities, and those in *ca_file*.

    Raises:
        ConfigError: *ca_file* can't be read, or has no certificate.
    """
    context = httpx2.create_ssl_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:  # ssl.SSLError is one
            msg = f"ca_file {ca_file!r} can't be read: {error.strerror or error}"
            raise ConfigError(msg) from None
    context.set_alpn_protocols(["http/1.1"])
    return context


class Contexts:
    """Contexts by file, each made once, as that takes milliseconds."""

    def __init__(self) -> None:
        self._made: Final[dict[str | None, ssl.SSLContext]] = {}

    def get(self, ca_file: str | None) -> ssl.SSLContext:
        """Return the context that trusts *ca_file* too; see *context_for*."""
        context = self._made.get(ca_file)
        if context is None:
            context = self._made[ca_file] = context_for(ca_file)
        return context
