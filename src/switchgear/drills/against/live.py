"""A gateway that runs, with the drill as the upstream of one of its services, for a limited time."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Self

from switchgear.drills.asking import Answer, Client, chat
from switchgear.drills.sandbox import Sandbox
from switchgear.errors import ConfigError, SwitchgearError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from switchgear.clock import Clock
    from switchgear.drills.against.guard import Target

__all__ = ["Live", "TimeUpError"]

_PAGE: Final = 200


class TimeUpError(SwitchgearError):
    """The time that the drill was given is over; nothing more is sent."""


class Live:
    """Set up by ``with``: it listens where the service's calls go, and proves that they arrive here.

    Every call bears the drill's own job, and a token without which the upstream lets nothing fail: other
    traffic on the service is answered well. Faults are of single calls, so none outlives the drill.

    Args:
        target: what may be drilled.
        url: the gateway's.
        get: asks the gateway's API for the JSON at a path.
        clock: time.
        seconds: after which nothing more is sent.
        key: the Switchgear key to call with, where the gateway wants one.

    Raises:
        ConfigError: the port is taken, or the service's calls do not arrive here.
    """

    def __init__(
        self,
        target: Target,
        *,
        url: str,
        get: Callable[[str], dict[str, Any]],
        clock: Clock,
        seconds: float,
        key: str | None = None,
    ) -> None:
        self.target: Final = target
        self.clock: Final = clock
        self.job: Final = f"switchgear-drill-{secrets.token_hex(4)}"
        self._url: Final = url
        self._get: Final = get
        self._key: Final = key
        self._token: Final = secrets.token_urlsafe(16)
        self._seconds: Final = seconds
        self._ends = 0.0
        self._stack: Final = ExitStack()

    def ask(self, *, fault: str = "", text: str = "is this only a drill", stream: bool = False) -> Answer:
        """Make one marked call; only it has *fault*.

        Raises:
            TimeUpError: the drill's time is over.
        """
        if self.clock.monotonic() > self._ends:
            msg = f"the {self._seconds:g} s that this drill was given are over"
            raise TimeUpError(msg)
        return self._client.ask(self.target.service, body=chat(text, stream=stream), fault=fault, job=self.job)

    def rows(self) -> list[dict[str, Any]]:
        """Return this drill's attempts as the gateway's API has them."""
        return list(self._rows())

    def _rows(self) -> Iterator[dict[str, Any]]:
        path: str | None = f"/api/calls?job={self.job}&limit={_PAGE}"
        while path is not None:
            page = self._get(path)
            yield from page["items"]
            path = f"/api/calls?job={self.job}&limit={_PAGE}&after={page['next']}" if page["next"] else None

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            try:
                self.sandbox = undo.enter_context(Sandbox(port=self.target.port, token=self._token))
            except OSError as error:
                msg = f"port {self.target.port}, where calls of {self.target.service!r} go, is taken: {error.strerror}"
                raise ConfigError(msg) from None
            headers = {"x-sandbox-token": self._token}
            if self._key is not None:
                headers["authorization"] = f"Bearer {self._key}"
            self._client = undo.enter_context(Client(self._url, self.clock, headers=headers))
            self._ends = self.clock.monotonic() + self._seconds
            self._prove()
            self._stack.push(undo.pop_all())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _prove(self) -> None:
        """Let one good call through, and see it arrive here."""
        nonce = secrets.token_hex(8)
        answer = self.ask(text=nonce)
        if not any(nonce.encode() in request.body for request in self.sandbox.requests):
            status = answer.status or answer.error
            msg = f"a call of {self.target.service!r} was answered {status} and did not arrive at the drill"
            raise ConfigError(msg)
