"""A layer that runs now: what it reports, and on whose behalf its calls are made."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from switchgear.context import attribution
from switchgear.runner.current import in_layer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from switchgear.runner.layers import Layer
    from switchgear.runner.records import LayerRecord
    from switchgear.runner.session import Session
    from switchgear.runner.views import Artefact

__all__ = ["OpenLayer"]

_EVERY_US: Final = 200_000
"""Progress is put on record at most so often."""


class OpenLayer:
    """A *LayerContext*.

    Attributes:
        record: how it ended, known before it began where an earlier run's output serves.
        error: the error itself that it failed with.
        cache_key: under which its output is kept; None: it is not.
    """

    def __init__(self, session: Session, layer: Layer[..., Any], step: int, execution: int) -> None:
        self._session: Final = session
        self._shop: Final = session.shop
        self.run: Final = session.run
        self.job: Final = session.row.job
        self.definition: Final = layer
        self.layer: Final = layer.name
        self.step: Final = step
        self.execution: Final = execution
        self.idempotency_key: Final = f"{session.row.workflow}:{step}"
        self.record: LayerRecord | None = None
        self.error: BaseException | None = None
        self.cache_key: str | None = None
        self._told_at = 0

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Let what happens in the block be done by this layer."""
        tags = {"idempotency": self.idempotency_key}
        if self.execution > 1:
            tags["execution"] = str(self.execution)
        with attribution(layer=self.layer, tags=tags), in_layer(self):
            yield

    def progress(self, done: float, total: float | None, note: str | None) -> None:
        """Put on record how far the layer is; the end of it always, what lies between now and then."""
        self._check()
        now = self._shop.now()
        if now - self._told_at < _EVERY_US and (total is None or done < total):
            return
        self._told_at = now
        values = {"done": done, "total": total, "note": note}
        self._shop.store.change_layer(self.run, self.step, values, only_open=True)

    def log(self, text: str) -> None:
        """Add a line to the log of the run."""
        self._check()
        self._shop.say(self.run, text, kind="log", layer=self.layer)

    def artefact(self, name: str, content: bytes | str | Path, media_type: str | None) -> Artefact:
        """Add a file to the run."""
        self._check()
        return self._shop.files.put(
            self.run, name, content, layer=self.layer, media_type=media_type, at=self._shop.now()
        )

    def _check(self) -> None:
        # A thread can't be stopped from outside: a sync layer whose run is cancelled ends when it next says something.
        if self._session.stopped.is_set() and self._session.stopping is not None:
            raise self._session.stopping
