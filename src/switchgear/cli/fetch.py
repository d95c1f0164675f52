"""Asking a running Switchgear over its API."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import os
import urllib.error
import urllib.request
from typing import Any, Final
from urllib.parse import urlsplit

from switchgear.cli.errors import UnreachableError
from switchgear.errors import ConfigError

__all__ = ["fetch", "send"]

_PATIENCE: Final = 10.0
_SAYS_WHY: Final = (http.HTTPStatus.BAD_REQUEST, http.HTTPStatus.NOT_FOUND)


def fetch(url: str, path: str) -> dict[str, Any]:
    """Return the JSON object at *path* of the server at *url*.

    Raises:
        ConfigError: *url* is no address, the server asks who one is, or it says that there is no such thing.
        UnreachableError: nobody answers there, or somebody else does.
    """
    try:
        return _ask(url, urllib.request.Request(url.rstrip("/") + path))  # noqa: S310 - the scheme is checked before it is opened
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.UNAUTHORIZED:
            raise _refused(url) from None
        if error.code in _SAYS_WHY and (detail := _detail(error)) is not None:
            raise ConfigError(detail) from None
        msg = f"the server at {url} answers {path} with HTTP {error.code}; is it a Switchgear?"
        raise UnreachableError(msg) from None


def send(url: str, path: str, body: dict[str, Any], *, method: str = "POST") -> dict[str, Any]:
    """Send *body* as JSON to *path* of the server at *url*, and return the JSON object that it answers.

    Raises:
        ConfigError: *url* is no address, or the server says what is wrong with the request.
        UnreachableError: nobody answers there, or somebody else does.
    """
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked before it is opened
        url.rstrip("/") + path,
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
        method=method,
    )
    try:
        return _ask(url, request)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.UNAUTHORIZED:
            raise _refused(url) from None
        detail = _detail(error)
        if detail is None:
            msg = f"the server at {url} answers {path} with HTTP {error.code}; is it a Switchgear of this version?"
            raise UnreachableError(msg) from None
        raise ConfigError(detail) from None


def _detail(error: urllib.error.HTTPError) -> str | None:
    """Return what a problem+json answer says."""
    try:
        found = json.load(error)
    except (OSError, ValueError):
        return None
    detail = found.get("detail") if isinstance(found, dict) else None
    return detail.rstrip(".") if isinstance(detail, str) else None


def _ask(url: str, request: urllib.request.Request) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = f'--url: not an address such as "http://127.0.0.1:8400": {url!r}'
        raise ConfigError(msg)
    if credentials := _credentials():
        request.add_unredirected_header("authorization", credentials)
    # A proxy is for other machines; most answer an error for this one.
    handlers = [urllib.request.ProxyHandler({})] if _is_this_machine(parts.hostname) else []
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_PATIENCE) as response:
            found = json.load(response)
    except urllib.error.HTTPError:
        raise
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


def _credentials() -> str | None:
    """Return name and password for a server that asks for them, as the environment has them."""
    name, password = os.environ.get("SWITCHGEAR_USER"), os.environ.get("SWITCHGEAR_PASSWORD")
    if not name or not password:
        return None
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def _refused(url: str) -> ConfigError:
    msg = f"the server at {url} asks who you are: set SWITCHGEAR_USER and SWITCHGEAR_PASSWORD"
    return ConfigError(msg)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
