"""Looking at runs: with the layers to come, and with what the ledger says of their cost."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from switchgear.runner.views import ENDED, LayerView, RunPage, RunView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchgear.runner.pipelines import Pipeline
    from switchgear.runner.workshop import Workshop

__all__ = ["RunWatch"]

_LOOK: Final = 0.1
"""Seconds between two looks at a run that is waited for."""


class RunWatch:
    """Shows runs."""

    def __init__(self, shop: Workshop, pipelines: Mapping[str, Pipeline[..., Any]]) -> None:
        self._shop: Final = shop
        self._pipelines: Final = pipelines

    def show(self, run: str) -> RunView:
        """Return *run*, whole."""
        if self._shop.store.row(run).status == "running":
            self._shop.count(run)
        view = self._shop.store.view(run)
        to_come = self._layers_of((view.pipeline,)).get(view.pipeline)
        if view.status == "ok" or to_come is None:
            return msgspec.structs.replace(view, layers_total=len(view.layers) if view.status == "ok" else None)
        begun = Counter(layer.layer for layer in view.layers)
        rest = []
        for name in to_come:
            if begun[name]:
                begun[name] -= 1
            else:
                rest.append(LayerView(layer=name, status="waiting"))
        layers = (*view.layers, *rest)
        return msgspec.structs.replace(view, layers=layers, layers_total=len(layers))

    def page(
        self, *, limit: int, after: str | None, status: str | None, pipeline: str | None, job: str | None
    ) -> RunPage:
        """Return runs, newest first."""
        page = self._shop.store.page(limit=limit, after=after, status=status, pipeline=pipeline, job=job)
        known = self._layers_of({view.pipeline for view in page.items})
        items = tuple(_counted(view, known.get(view.pipeline)) for view in page.items)
        return msgspec.structs.replace(page, items=items)

    def wait(self, run: str, timeout: float | None) -> RunView:
        """Return *run* when nothing happens to it by itself any more, or after *timeout* seconds."""
        clock = self._shop.governor.clock
        ends = None if timeout is None else clock.monotonic() + timeout
        while True:
            row = self._shop.store.row(run)
            over = ends is not None and clock.monotonic() >= ends
            if over or row.status in ENDED or (row.status == "paused" and not row.due_at):
                return self.show(run)
            clock.sleep(_LOOK)

    def _layers_of(self, pipelines: set[str] | tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Return the layers that runs of *pipelines* have: those declared, else those of the last good run."""
        declared = {name: one.layers for name in pipelines if (one := self._pipelines.get(name)) and one.layers}
        rest = [name for name in pipelines if name not in declared]
        return {**self._shop.store.past_layers(rest), **declared}


def _counted(view: RunView, layers: tuple[str, ...] | None) -> RunView:
    if view.status == "ok":
        return msgspec.structs.replace(view, layers_total=view.layers_done)
    if layers is None or view.layers_done > len(layers):
        return view
    return msgspec.structs.replace(view, layers_total=len(layers))
