"""The way to a Redis or Valkey server: one round trip a script, never beyond the time-out, errors with one meaning.

Threads share a pool of connections; each event loop has its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from urllib.parse import parse_qs, urlsplit, urlunsplit
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    NoScriptError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from switchgear.clock import MICROS
from switchgear.errors import ConfigError, StateError

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["Link", "Stale", "Unreachable", "namespace_of", "on_loop"]

_PARTS: Final = ("cells", "last_calls", "pace", "limiter", "breaker", "budget", "shadow", "stand", "store")
_CONNECTIONS: Final = 64
"""The server runs one script at a time, so more connections make nobody faster. Who finds none free waits for one:
a crowd of our own is no sign that the server is gone."""

_NAMESPACE: Final = re.compile(r"[A-Za-z0-9_.:-]+")


class Unreachable(StateError):
    """The server does not answer, or can't take what it is told now: what happens then is a matter of policy."""


class Stale(StateError):
    """Our idea of the server's time is wrong; *now* is what it is, in epoch microseconds."""

    def __init__(self, now: int) -> None:
        super().__init__("this machine's idea of the server's time is off by more than a budget's period")
        self.now: Final = now


class _LoopClient(NamedTuple):
    client: redis.asyncio.Redis
    seats: asyncio.BoundedSemaphore


class _Script:
    __slots__ = ("sha", "text")

    def __init__(self, verb: str) -> None:
        lua = files("switchgear.state") / "lua"
        parts = [(lua / f"{part}.lua").read_text("utf-8") for part in (*_PARTS, verb)]
        self.text: Final = "\n".join(parts)
        self.sha: Final = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


@cache
def _script(verb: str) -> _Script:
    return _Script(verb)


def namespace_of(url: str) -> tuple[str, str]:
    """Return *url* without its ``namespace``, and the namespace.

    Raises:
        ConfigError: not a ``redis://`` or ``rediss://`` URL, or one with other parameters.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss"} or not parts.hostname:
        msg = 'state.url must be "memory://" or such as "redis://127.0.0.1:6379/0"'
        raise ConfigError(msg)
    query = parse_qs(parts.query, keep_blank_values=True)
    namespace = query.pop("namespace", ["switchgear"])[-1]
    if query:
        msg = f"state.url: unknown parameter {min(query)!r}; the only one is namespace"
        raise ConfigError(msg)
    if not _NAMESPACE.fullmatch(namespace):
        msg = "state.url: a namespace is made of letters, digits, and _ . : -"
        raise ConfigError(msg)
    return urlunsplit(parts._replace(query="")), namespace


class Link:
    """Runs scripts on the server of *url*.

    Args:
        url: a ``redis://`` URL; what is after ``?namespace=`` begins every key, in braces.
        timeout_us: the longest that connecting, and then a script, may take.
    """

    def __init__(self, url: str, timeout_us: int) -> None:
        self._url, namespace = namespace_of(url)
        self._key: Final = "{" + namespace + "}"
        self._timeout: Final = timeout_us / MICROS
        parts = urlsplit(self._url)
        self._where: Final = f"{parts.hostname}:{parts.port or 6379}"
        # Nothing is sent twice behind our back: a verb knows how it may be repeated.
        self._client: Final = redis.Redis.from_url(self._url, retry=Retry(NoBackoff(), 0), **self._settings())
        self._seats: Final = threading.BoundedSemaphore(_CONNECTIONS)
        self._loops: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopClient]] = WeakKeyDictionary()

    def run(self, verb: str, payload: bytes) -> bytes:
        """Run *verb* and return its reply.

        Raises:
            Unreachable: no answer in time, or none that counts.
            Stale: our idea of the server's time is wrong.
            StateError: the server will not let us.
        """
        script = _script(verb)
        try:
            with self._seats:
                try:
                    return cast("bytes", self._client.evalsha(script.sha, 1, self._key, payload))
                except NoScriptError:
                    return cast("bytes", self._client.eval(script.text, 1, self._key, payload))
        except RedisError as error:
            raise self._meaning(error) from error

    async def arun(self, verb: str, payload: bytes) -> bytes:
        """The same for tasks."""
        script = _script(verb)
        client, seats = self._client_of_loop()
        try:
            async with seats, asyncio.timeout(2 * self._timeout):
                try:
                    return await cast("Awaitable[bytes]", client.evalsha(script.sha, 1, self._key, payload))
                except NoScriptError:
                    return await cast("Awaitable[bytes]", client.eval(script.text, 1, self._key, payload))
        except RedisError as error:
            raise self._meaning(error) from error
        except TimeoutError as error:
            raise self._silent(error) from error

    def facts(self, section: str) -> dict[str, str]:
        """Return what the server says about itself under *section*."""
        try:
            found = self._client.info(section)
        except RedisError as error:
            raise self._meaning(error) from error
        return {name: str(value) for name, value in found.items()}

    def check_server(self) -> None:
        """Refuse a server that may drop what it was told; one that can't be asked is not refused.

        Raises:
            ConfigError: its ``maxmemory-policy`` evicts keys.
        """
        try:
            memory = self.facts("memory")
        except Unreachable:
            return
        policy = memory.get("maxmemory_policy", "noeviction")
        if memory.get("maxmemory", "0") != "0" and policy != "noeviction":
            msg = (
                f'state.url: this server drops keys when it is full; its maxmemory-policy is {policy}, not "noeviction"'
            )
            raise ConfigError(msg)

    def close(self) -> None:
        """Close the connections of threads; those of a loop end with it."""
        self._client.close()

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        found = self._loops.pop(asyncio.get_running_loop(), None)
        if found is not None:
            await found.client.aclose()

    def _settings(self) -> dict[str, Any]:
        return {
            "socket_timeout": self._timeout,
            "socket_connect_timeout": self._timeout,
            "protocol": 2,
            "driver_info": None,
        }

    def _client_of_loop(self) -> _LoopClient:
        loop = asyncio.get_running_loop()
        found = self._loops.get(loop)
        if found is None:
            client = redis.asyncio.Redis.from_url(self._url, retry=AsyncRetry(NoBackoff(), 0), **self._settings())
            found = self._loops[loop] = _LoopClient(client, asyncio.BoundedSemaphore(_CONNECTIONS))
        return found

    def _silent(self, error: Exception) -> Unreachable:
        msg = f"the shared state at {self._where} can't be reached ({type(error).__name__})"
        return Unreachable(msg)

    def _meaning(self, error: RedisError) -> StateError:
        """Return what *error* is for us. No text of the server's is passed on unless it is a known one."""
        if isinstance(error, AuthenticationError | AuthorizationError | NoPermissionError):
            msg = f"the shared state at {self._where} refuses our name, password or rights; see state.url"
            return StateError(msg)
        if isinstance(error, ResponseError):
            text = str(error)
            if text.startswith("STALE "):
                return Stale(int(text.split()[1]))
            if text.startswith(("NOAUTH", "WRONGPASS", "NOPERM")):
                msg = f"the shared state at {self._where} refuses our name, password or rights; see state.url"
                return StateError(msg)
            msg = f"the shared state at {self._where} can't take what it is told: {text}"
            return Unreachable(msg)
        return self._silent(error)


def on_loop() -> bool:
    """Whether this thread runs an event loop now."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
