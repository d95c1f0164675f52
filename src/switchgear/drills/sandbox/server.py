"""The sandbox on a loopback port, in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any, Final, Self, cast

from uvicorn import Config
from uvicorn.server import ServerState

from switchgear.clock import Clock, SystemClock
from switchgear.drills.sandbox.app import SandboxApp
from switchgear.drills.sandbox.connection import SandboxProtocol
from switchgear.drills.sandbox.counts import Book, ReceivedRequest, Stats
from switchgear.drills.sandbox.faults import FaultQueue

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from switchgear.drills.sandbox.quota import Quota

__all__ = ["Sandbox"]

_BACKLOG: Final = 1024
_KEEP_ALIVE: Final = 120


class Sandbox:
    """A provider for tests, drills and the demo: ``with Sandbox() as sandbox: sandbox.url``.

    It listens on 127.0.0.1 only, from ``with`` to its end; what is then open is cut off.

    Args:
        port: 0: one that is free.
        require_key: answer 401 to requests that don't bear this key; None: to none.
        clock: what latencies and delays wait on.
        quota: what it answers 429 beyond; None: it answers whatever comes.
        token: faults go only to requests whose header ``x-sandbox-token`` says it; None: to any.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        require_key: str | None = None,
        clock: Clock | None = None,
        quota: Quota | None = None,
        token: str | None = None,
    ) -> None:
        self._asked_port: Final = port
        clock = clock or SystemClock()
        self._book: Final = Book(clock)
        self._faults: Final = FaultQueue()
        self._app: Final = SandboxApp(
            book=self._book, faults=self._faults, clock=clock, require_key=require_key, quota=quota, token=token
        )
        self._port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens on; 0 before it does."""
        return self._port

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``: Anthropic's base URL; OpenAI's has ``/v1`` behind it."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def requests(self) -> tuple[ReceivedRequest, ...]:
        """The last 1000 requests as they arrived, oldest first."""
        return self._book.requests()

    @property
    def arrivals(self) -> tuple[int, ...]:
        """When the last 100,000 requests had arrived, in monotonic microseconds, oldest first."""
        return self._book.arrivals()

    def stats(self) -> Stats:
        """Return one consistent reading of what was received and served."""
        return self._book.stats()

    def wait_until(self, condition: Callable[[Stats], bool], *, patience: float = 5.0) -> Stats:
        """Return the first reading that *condition* accepts; blocks, so use a thread in async code.

        ``wait_until(lambda stats: stats.under_way == 0)`` waits for the last answer's end, which a client
        may see a moment before the book does.

        Raises:
            TimeoutError: nothing happened for *patience* seconds.
        """
        return self._book.wait_until(condition, patience=patience)

    def fault(self, text: str, *, times: int | None = None, path: str | None = None) -> None:
        """Let the next *times* requests (None: all, until cleared) to *path* (None: any) fail as *text* says.

        A fault in a request's own ``x-sandbox-fault`` header goes first. *Fault* tells the notation.

        Raises:
            ValueError: *text* is no fault, or *times* is less than 1.
        """
        self._faults.add(text, times=times, path=path)

    def clear_faults(self) -> None:
        """Forget every fault that waits."""
        self._faults.clear()

    def reset(self) -> None:
        """Forget every fault that waits, and start the book anew."""
        self._faults.clear()
        self._book.clear()

    def __enter__(self) -> Self:
        """Listen; raises OSError if the port is taken."""
        listener = socket.create_server(("127.0.0.1", self._asked_port), backlog=_BACKLOG)
        self._port = listener.getsockname()[1]
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(listener, ready), name="sandbox", daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and break what is open; does nothing when it does not listen."""
        if self._loop is not None and self._stop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._loop = self._stop = self._thread = None

    def _run(self, listener: socket.socket, ready: threading.Event) -> None:
        config = Config(
            cast("Any", self._app), lifespan="off", ws="none", log_config=None, timeout_keep_alive=_KEEP_ALIVE
        )
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(self._listen(listener, ready, config))

    async def _listen(self, listener: socket.socket, ready: threading.Event, config: Config) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        config.load()
        state = ServerState()
        server = await self._loop.create_server(
            lambda: SandboxProtocol(config=config, server_state=state, app_state={}), sock=listener, backlog=_BACKLOG
        )
        ready.set()
        await self._stop.wait()
        server.close()
        for connection in tuple(state.connections):
            cast("SandboxProtocol", connection).transport.abort()
        await asyncio.gather(*state.tasks)
        await server.wait_closed()
