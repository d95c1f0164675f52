"""A run whose pipeline is a plain function: in a thread of its own, its layers in threads that can be left behind."""

from __future__ import annotations

import contextvars
import queue
import threading
from typing import TYPE_CHECKING, Any, Final

from switchgear.runner.current import in_run
from switchgear.runner.faults import RunnerError, Stopped
from switchgear.runner.session import Again, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.runner.layers import Layer
    from switchgear.runner.opened import OpenLayer
    from switchgear.runner.records import LayerRecord

__all__ = ["ThreadSession"]

_LOOK: Final = 0.1
"""Seconds after which a waiting run looks whether it is to stop."""


class ThreadSession(Session):
    """A run in threads. A thread can't be stopped: it is left behind, and ends when its layer next says something."""

    def play(self) -> object:
        """Run the pipeline; return its result. See *TaskSession.play*."""
        with self.attributed(), in_run(self):
            return self.pipeline.function(**self.arguments())

    def perform(self, layer: Layer[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
        """Return the layer's result."""
        from dbos import DBOS

        if layer.is_async:
            msg = f"layer {layer.name} is async: only an async pipeline can await it"
            raise RunnerError(msg)
        place = DBOS.reserve_step()
        step = place.step_id
        errors: list[BaseException | None] = [None]

        def durable() -> dict[str, Any]:
            opened = self.open(layer, step, args, kwargs)
            try:
                record = opened.record or self._try(opened, args, kwargs)
            except BaseException as error:
                self.halt(opened, error)
                raise
            errors[0] = opened.error
            return record.stored()

        return self.close(layer, step, place.run({"name": layer.name}, durable), errors[0])

    def _try(self, opened: OpenLayer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> LayerRecord:
        layer, tries = opened.definition, 0
        while True:
            tries += 1
            try:
                with opened.inside():
                    value = self._outlast(lambda: layer.function(*args, **kwargs), layer.timeout_us)
            except Exception as error:  # noqa: BLE001 - a layer is somebody else's code; it is judged, and on record
                verdict = self.judge(opened, error, tries)
            else:
                return self.succeed(opened, value, tries)
            if not isinstance(verdict, Again):
                return verdict
            if self.stopped.wait(verdict.seconds):
                self._raise_stop()

    def _outlast(self, function: Callable[[], Any], limit_us: int | None) -> Any:  # noqa: ANN401 - the layer's own type
        """Return what *function* returns, in a thread that is left behind when the layer or the run has to end."""
        results: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

        def work() -> None:
            try:
                results.put((True, function()))
            except BaseException as error:  # noqa: BLE001 - it is raised again by whoever waits for it
                results.put((False, error))

        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(work,), name=f"layer of {self.run}", daemon=True).start()
        clock = self.shop.governor.clock
        ends = None if limit_us is None else clock.monotonic() + limit_us / 1e6
        while True:
            try:
                fine, value = results.get(timeout=_LOOK)
            except queue.Empty:
                self._raise_stop()
                if ends is not None and limit_us is not None and clock.monotonic() >= ends:
                    msg = f"it took longer than {limit_us / 1e6:g} s"
                    raise TimeoutError(msg) from None
                remaining = self.remaining()
                if remaining is not None and remaining <= 0:
                    self.stop("timeout", "the run took too long")
                    self.stopped.set()
                continue
            if fine:
                return value
            raise value

    def _raise_stop(self) -> None:
        if self.stopped.is_set():
            raise self.stopping or Stopped("cancel", "somebody asked for it")
