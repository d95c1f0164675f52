"""One run under way: what its layers need, and what is put on record of them. Threads and tasks share it."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from typing import TYPE_CHECKING, Any, Final

import msgspec

from switchgear.context import attribution
from switchgear.runner.codec import as_json
from switchgear.runner.faults import LayerFailed, RunnerError, Stopped
from switchgear.runner.layers import NO_DEFAULT, SkippedLayer
from switchgear.runner.opened import OpenLayer
from switchgear.runner.records import LayerRecord, failed, finished, skipped
from switchgear.runner.refusals import refusal_in

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Mapping

    from switchgear.calls import Attribution
    from switchgear.clients.governor import Governor
    from switchgear.runner.layers import Layer
    from switchgear.runner.pipelines import Pipeline
    from switchgear.runner.store import RunRow
    from switchgear.runner.workshop import Workshop

__all__ = ["Again", "Session"]

_MOST_DEATHS: Final = 10
"""Workers that may die in one layer of a run before the layer is taken for their killer."""
_LONGEST_PAUSE: Final = 60.0

_log = logging.getLogger("switchgear.runner")


class Again(msgspec.Struct, frozen=True):
    """A layer is to be tried again after *seconds*."""

    seconds: float


class Session:
    """A run under way in this process.

    Attributes:
        row: what was known of it when it began.
        pipeline: what it is a run of.
        shop: the stores and the governor.
        stopping: why it is to stop; None: it is not.
    """

    def __init__(self, row: RunRow, pipeline: Pipeline[..., Any], shop: Workshop) -> None:
        self.row: Final = row
        self.run: Final = row.run
        self.pipeline: Final = pipeline
        self.shop: Final = shop
        self.stopping: Stopped | None = None
        self.stopped: Final = threading.Event()

    @property
    def governor(self) -> Governor:
        """What its calls go through."""
        return self.shop.governor

    def arguments(self) -> dict[str, Any]:
        """Return what the pipeline is called with."""
        return self.pipeline.signature.load(json.loads(self.row.input))

    def attributed(self) -> contextlib.AbstractContextManager[Attribution]:
        """Say on whose behalf calls are made."""
        return attribution(job=self.row.job, run=self.run, tags={"pipeline": self.pipeline.name})

    def stop(self, why: str, reason: str) -> None:
        """Have it stop: before its next layer, or at once where the run can be interrupted."""
        if self.stopping is None or self.stopping.why in {"pause", "drain"}:
            self.stopping = Stopped(why, reason)
            if why in {"cancel", "lost"}:
                self.stopped.set()

    def remaining(self) -> float | None:
        """Return the seconds until the run has taken too long; None: it may take any time."""
        if self.row.deadline_at is None:
            return None
        return (self.row.deadline_at - self.shop.now()) / 1e6

    def open(self, layer: Layer[..., Any], step: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> OpenLayer:
        """Note that a layer begins; its record is there already where an earlier run's output serves.

        Raises:
            Stopped: the run is to stop here.
            RunnerError: its arguments are no JSON, or workers keep dying in it.
        """
        shop = self.shop
        wanted = shop.store.row(self.run).wanted
        if wanted and self.stopping is None:
            self.stop(wanted, "somebody asked for it")
        if self.stopping is not None:
            raise self.stopping
        layer.signature.dump(args, kwargs)
        if layer.budget is not None:
            shop.hold(self.run, {layer.name: layer.budget})
        execution = shop.store.begin_layer(self.run, step, layer.name, budget=layer.budget, at=shop.now())
        opened = OpenLayer(self, layer, step, execution)
        if execution > _MOST_DEATHS:
            msg = f"it was begun {execution - 1} times and never ended; its workers die in it"
            raise RunnerError(msg)
        key = self._cache_key(layer, args, kwargs)
        if key is not None:
            opened.cache_key = key
            value = shop.cache.get(layer.name, key, since=self._fresh_since(layer))
            if value is not None:
                opened.record = finished(json.loads(value), cached=True)
        again = "" if execution == 1 else f" again (execution {execution})"
        shop.say(self.run, f"{layer.name} began{again}", kind="layer", layer=layer.name)
        return opened

    def judge(self, opened: OpenLayer, error: Exception, tries: int) -> LayerRecord | Again:
        """Return what becomes of a layer after *error* in its try number *tries*.

        Raises:
            Stopped: the run is to be paused.
        """
        layer = opened.definition
        refusal = refusal_in(error, self.shop.now() / 1e6)
        if refusal is None:
            if tries <= layer.retries and not isinstance(error, RunnerError):
                opened.log(f"try {tries} failed: {type(error).__name__}: {error}"[:500])
                return Again(min(2.0 ** (tries - 1), _LONGEST_PAUSE))
            opened.error = error
            return failed(error, tries=tries)
        if layer.on_refused == "skip":
            return skipped(refusal.text, tries=tries)
        if layer.on_refused == "pause":
            resume_at = None if refusal.retry_at is None else int(refusal.retry_at * 1e6) + 1
            why = f"{layer.name}: {refusal.text}"
            raise Stopped("pause", why, resume_at)  # noqa: EM101 - the kind of the stop, no message
        opened.error = error
        return failed(error, tries=tries)

    def succeed(self, opened: OpenLayer, value: object, tries: int) -> LayerRecord:
        """Return the record of a layer that returned *value*; it is kept for other runs where it is to be."""
        try:
            stored = opened.definition.signature.dump_result(value)
            text = as_json(stored, f"the result of layer {opened.layer}")
        except RunnerError as error:
            opened.error = error
            return failed(error, tries=tries)
        if opened.cache_key is not None:
            self.shop.cache.put(opened.layer, opened.cache_key, text, run=self.run, at=self.shop.now())
        return finished(stored, tries=tries)

    def halt(self, opened: OpenLayer, error: BaseException) -> None:
        """Put on record that a layer was interrupted; it begins anew when the run goes on."""
        status = "paused" if isinstance(error, Stopped) and error.why == "pause" else "cancelled"
        reason = str(self.stopping or error) or type(error).__name__
        self._note(opened.step, {"status": status, "ended_at": self.shop.now(), "reason": reason})

    def close(self, layer: Layer[..., Any], step: int, stored: dict[str, Any], error: BaseException | None) -> Any:  # noqa: ANN401 - the layer's own type
        """Put on record how a layer ended, once, and return its result.

        Raises:
            LayerFailed: it failed.
        """
        record = msgspec.convert(stored, LayerRecord)
        values = {
            "status": record.status,
            "ended_at": self.shop.now(),
            "tries": record.tries,
            "cached": int(record.cached),
            "reason": record.reason or (f"{record.kind}: {record.text}" if record.status == "failed" else None),
        }
        if self._note(step, values):
            self.shop.count(self.run)
            how = " (kept from an earlier run)" if record.cached else ""
            why = f": {values['reason']}" if values["reason"] else ""
            self.shop.say(self.run, f"{layer.name} {record.status}{how}{why}", kind="layer", layer=layer.name)
        if record.status == "failed":
            raise LayerFailed(layer.name, record.kind, record.text) from error
        if record.status == "skipped":
            if layer.default is NO_DEFAULT:
                return SkippedLayer(layer.name, record.reason or "")
            return layer.default
        return layer.signature.load_result(record.value)

    def _note(self, step: int, values: Mapping[str, object]) -> bool:
        return self.shop.store.change_layer(self.run, step, values, only_open=True)

    def _cache_key(self, layer: Layer[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        if layer.cache_key is None:
            return None
        return hashlib.sha256(str(layer.cache_key(*args, **kwargs)).encode()).hexdigest()

    def _fresh_since(self, layer: Layer[..., Any]) -> int:
        return 0 if layer.cache_for_us is None else self.shop.now() - layer.cache_for_us
