"""Asking a running Switchgear over its API."""

from __future__ import annotations

import http.client
import ipaddress
import json
import urllib.error
import urllib.request
from typing import Any, Final
from urllib.parse import urlsplit

from switchgear.cli.errors import UnreachableError
from switchgear.errors import ConfigError

__all__ = ["fetch", "order"]

_PATIENCE: Final = 10.0


def fetch(url: str, path: str) -> dict[str, Any]:
    """Return the JSON object at *path* of the server at *url*.

    Raises:
        ConfigError: *url* is no address.
        UnreachableError: nobody answers there, or somebody else does.
    """
    return _asked(url, path, None)


def order(url: str, path: str) -> dict[str, Any]:
    """Have the server at *url* do what *path* stands for; return the JSON object that it answers.

    Raises:
        ConfigError: *url* is no address, or the server says that something is wrong.
        UnreachableError: as *fetch*.
    """
    return _asked(url, path, b"")


def _asked(url: str, path: str, body: bytes | None) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = f'--url: not an address such as "http://127.0.0.1:8400": {url!r}'
        raise ConfigError(msg)
    # A proxy is for other machines; most answer an error for this one.
    handlers = [urllib.request.ProxyHandler({})] if _is_this_machine(parts.hostname) else []
    try:
        request = urllib.request.Request(url.rstrip("/") + path, data=body, headers={"x-switchgear-admin": "1"})  # noqa: S310 - http or https
        with urllib.request.build_opener(*handlers).open(request, timeout=_PATIENCE) as response:
            found = json.load(response)
    except urllib.error.HTTPError as error:
        if body is not None and (problem := _problem(error)):
            raise ConfigError(problem) from None
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


def _problem(error: urllib.error.HTTPError) -> str | None:
    """Return what the server says is wrong; None: it is no Switchgear."""
    try:
        found = json.load(error)
    except (OSError, ValueError, http.client.HTTPException):
        return None
    problems = found.get("problems") if isinstance(found, dict) else None
    return "\n".join(map(str, problems)) if isinstance(problems, list) else found.get("detail")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
