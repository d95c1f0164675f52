"""Asking a running Switchgear over its API."""

from __future__ import annotations

import http.client
import ipaddress
import json
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from switchgear.cli.errors import UnreachableError
from switchgear.errors import ConfigError

__all__ = ["fetch"]

_PATIENCE: Final = 10.0


def fetch(url: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the JSON object at *path* of the server at *url*, or what it answers to *body*.

    Raises:
        ConfigError: *url* is no address, or the server finds something wrong in *body*.
        UnreachableError: nobody answers there, or somebody else does.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = f'--url: not an address such as "http://127.0.0.1:8400": {url!r}'
        raise ConfigError(msg)
    # A proxy is for other machines; most answer an error for this one.
    handlers = [urllib.request.ProxyHandler({})] if _is_this_machine(parts.hostname) else []
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url.rstrip("/") + path, data, {"content-type": "application/json"})  # noqa: S310 - checked above
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_PATIENCE) as response:
            found = json.load(response)
    except urllib.error.HTTPError as error:
        if data is not None and error.code == HTTPStatus.BAD_REQUEST:
            raise ConfigError(_detail(error)) from None
        msg = f"the server at {url} answers {path} with HTTP {error.code}; is it a Switchgear?"
        raise UnreachableError(msg) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        msg = f"no server at {url}: {getattr(reason, 'strerror', None) or reason}"
        raise UnreachableError(msg) from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        msg = f"what answers at {url} is not a Switchgear"
        raise UnreachableError(msg)
    return found


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (OSError, ValueError, TypeError, KeyError):
        return f"the server answers HTTP {error.code}"


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
