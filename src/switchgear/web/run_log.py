"""The log of a run as server-sent events: every line once, in order, after ``Last-Event-ID``, until its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import msgspec
from starlette.concurrency import run_in_threadpool

from switchgear.insight.metrics import plain
from switchgear.runner import LogPage, Runner, RunnerError
from switchgear.runner.items import LogItem
from switchgear.web.deps import WebDeps
from switchgear.web.problems import Problem
from switchgear.web.running import runner_in, told

__all__ = ["LogStreams"]

_MOST: Final = 32
_EVERY: Final = 0.3
_QUIET: Final = 15.0
_PORTION: Final = 200


class LogStreams:
    """Opens streams over the runner's log, so many at a time."""

    def __init__(self, deps: WebDeps) -> None:
        self._deps: Final = deps
        self._open = 0

    def open(self, run: str, *, after: int) -> AsyncIterator[bytes]:
        """Return the stream of the lines of *run* after number *after*.

        Raises:
            Problem: 404, no such run, or no runner; 503, too many are open.
        """
        runner = runner_in(self._deps)
        if self._open >= _MOST:
            raise Problem(503, f"{_MOST} logs are streamed already; close one, or ask without text/event-stream.")
        with told():
            runner.logs(run, after=after, limit=1)
        return self._lines(runner, run, after)

    async def _lines(self, runner: Runner, run: str, after: int) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            yield b"retry: 2000\n\n"
            quiet = 0.0
            while not self._deps.ending():
                page = await run_in_threadpool(_page, runner, run, after)
                if page.items:
                    after, quiet = page.next, 0.0
                    yield b"".join(_event(LogItem.of(line)) for line in page.items)
                if page.ended:
                    yield b"event: end\ndata: {}\n\n"
                    return
                if len(page.items) == _PORTION:
                    continue
                if quiet >= _QUIET:
                    quiet = 0.0
                    yield b": alive\n\n"
                await self._deps.clock.asleep(_EVERY)
                quiet += _EVERY
        finally:
            self._open -= 1


def _page(runner: Runner, run: str, after: int) -> LogPage:
    try:
        return runner.logs(run, after=after, limit=_PORTION)
    except RunnerError:
        return LogPage(items=(), next=after, ended=False)  # it is asked again, and no line is left out


def _event(line: LogItem) -> bytes:
    return b"id: %d\nevent: line\ndata: %s\n\n" % (line.number, msgspec.json.encode(plain(line)))
