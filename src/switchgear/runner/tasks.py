"""A run whose pipeline is a coroutine function: in tasks, which can be stopped in the middle of a call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from switchgear.runner.current import in_run
from switchgear.runner.faults import RunnerError, Stopped
from switchgear.runner.session import Again, Session

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from switchgear.runner.layers import Layer
    from switchgear.runner.opened import OpenLayer
    from switchgear.runner.pipelines import Pipeline
    from switchgear.runner.records import LayerRecord
    from switchgear.runner.store import RunRow
    from switchgear.runner.workshop import Workshop

__all__ = ["TaskSession", "stop_in"]


class TaskSession(Session):
    """A run in tasks of one event loop."""

    def __init__(self, row: RunRow, pipeline: Pipeline[..., Any], shop: Workshop) -> None:
        super().__init__(row, pipeline, shop)
        self._layers: Final[set[asyncio.Task[Any]]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[Any] | None = None

    def stop(self, why: str, reason: str) -> None:
        super().stop(why, reason)
        loop, main = self._loop, self._main
        if self.stopped.is_set() and loop is not None and main is not None and loop.is_running():
            loop.call_soon_threadsafe(main.cancel)

    async def play(self) -> object:
        """Run the pipeline; return its result.

        Raises:
            Stopped: it was stopped before its end.
            TimeoutError: it took too long.
            Exception: what it raised.
        """
        self._loop = asyncio.get_running_loop()
        with self.attributed(), in_run(self):
            self._main = asyncio.create_task(self.pipeline.function(**self.arguments()))
        if self.stopped.is_set():
            self._main.cancel()
        try:
            async with asyncio.timeout(self.remaining()):
                return await self._main
        except asyncio.CancelledError:
            if self.stopping is not None:
                raise self.stopping from None
            raise
        except BaseException as error:
            stop = stop_in(error)
            if stop is not None and stop is not error:
                raise stop from None
            raise
        finally:
            await self._rest()

    def perform(self, layer: Layer[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Awaitable[Any]:
        """Return an awaitable of the layer's result. Its place among the layers is that of this call."""
        from dbos import DBOS

        if not layer.is_async:
            msg = (
                f"layer {layer.name} is a plain function and would hold up every other run: make it async "
                "(with asyncio.to_thread inside), or make the pipeline a plain function"
            )
            raise RunnerError(msg)
        return self._perform(DBOS.reserve_step(), layer, args, kwargs)

    async def _perform(self, place: Any, layer: Layer[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - DBOS's reservation, and the layer's own type
        here = asyncio.current_task()
        if here is not None and here is not self._main:
            self._layers.add(here)
            here.add_done_callback(self._layers.discard)
        errors: list[BaseException | None] = [None]
        step = place.step_id

        async def durable() -> dict[str, Any]:
            opened = await asyncio.to_thread(self.open, layer, step, args, kwargs)
            try:
                record = opened.record or await self._try(opened, args, kwargs)
            except BaseException as error:
                await asyncio.shield(asyncio.to_thread(self.halt, opened, error))
                raise
            errors[0] = opened.error
            return record.stored()

        stored = await place.run_async({"name": layer.name}, durable)
        return await asyncio.to_thread(self.close, layer, step, stored, errors[0])

    async def _try(self, opened: OpenLayer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> LayerRecord:
        layer, tries = opened.definition, 0
        while True:
            tries += 1
            try:
                with opened.inside():
                    async with asyncio.timeout(None if layer.timeout_us is None else layer.timeout_us / 1e6):
                        value = await layer.function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - a layer is somebody else's code; it is judged, and on record
                verdict = await asyncio.to_thread(self.judge, opened, _told(error, opened), tries)
            else:
                return await asyncio.to_thread(self.succeed, opened, value, tries)
            if not isinstance(verdict, Again):
                return verdict
            await asyncio.sleep(verdict.seconds)

    async def _rest(self) -> None:
        """See to it that no layer is left behind: where the run is paused they end, else they are stopped."""
        rest = {task for task in self._layers if not task.done()}
        if self.stopping is None or self.stopping.why not in {"pause", "drain"}:
            for task in rest:
                task.cancel()
        if rest:
            await asyncio.wait(rest)


def stop_in(error: BaseException) -> Stopped | None:
    """Return the stop that *error* is, or that is among those that a task group has gathered."""
    if isinstance(error, Stopped):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((found for one in error.exceptions if (found := stop_in(one)) is not None), None)
    return None


def _told(error: Exception, opened: OpenLayer) -> Exception:
    """Return *error*; a time-out of ours says so."""
    limit = opened.definition.timeout_us
    if isinstance(error, TimeoutError) and not str(error) and limit is not None:
        return TimeoutError(f"it took longer than {limit / 1e6:g} s")
    return error
