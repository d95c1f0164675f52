"""What people do with runs: cancel, pause, resume, have them redone from a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.runner.faults import RunConflict

if TYPE_CHECKING:
    from switchgear.runner.store import RunRow
    from switchgear.runner.workshop import Workshop

__all__ = ["RunCommands"]


class RunCommands:
    """Changes what becomes of runs, from any process: the worker that has a run sees it within a beat."""

    def __init__(self, shop: Workshop) -> None:
        self._shop: Final = shop

    def cancel(self, run: str, *, by: str = "") -> None:
        """Stop *run* for good: an async layer in the middle of its call, a sync one before the next.

        Raises:
            NoSuchRun: there is none.
            RunConflict: it has ended.
        """
        store, now = self._shop.store, self._shop.now()
        store.row(run)
        gone = {"status": "cancelled", "ended_at": now, "reason": "somebody asked for it", "wanted": ""}
        if not store.change(run, {"queued", "paused"}, gone) and not store.change(
            run, {"running"}, {"wanted": "cancel"}
        ):
            self._conflict(run, "cancelled")
        self._say(run, "it is to be cancelled", by)

    def pause(self, run: str, *, by: str = "") -> None:
        """Have *run* wait before its next layer, until somebody resumes it; what is under way ends first.

        Raises:
            NoSuchRun: there is none.
            RunConflict: it is neither queued nor running.
        """
        store = self._shop.store
        store.row(run)
        waits = {"status": "paused", "due_at": 0, "reason": "somebody asked for it", "wanted": ""}
        if not store.change(run, {"queued"}, waits) and not store.change(run, {"running"}, {"wanted": "pause"}):
            self._conflict(run, "paused")
        self._say(run, "it is to be paused", by)

    def resume(self, run: str, *, by: str = "") -> None:
        """Let a paused *run* go on, or one that failed or was cancelled from the layer where it stopped.

        Layers that have finished are kept, and not repaid.

        Raises:
            NoSuchRun: there is none.
            RunConflict: it is under way, or has ended well.
        """
        row, now = self._shop.store.row(run), self._shop.now()
        if (
            row.status == "running"
            and row.wanted == "pause"
            and self._shop.store.change(run, {"running"}, {"wanted": ""})
        ):
            self._say(run, "it is not to be paused any more", by)
            return
        queued = {"status": "queued", "due_at": now, "reason": None, "deadline_at": None, "wanted": ""}
        if self._shop.store.change(run, {"paused"}, queued):
            self._say(run, "it is resumed", by)
            return
        if row.status not in {"failed", "cancelled"}:
            self._conflict(run, "resumed")
        begun = self._shop.store.layers(run)
        open_ones = [one.step for one in begun if one.status not in {"ok", "skipped"} and one.step is not None]
        after_all = max((one.step or 0 for one in begun), default=0) + 1
        self._redo(row, min(open_ones, default=after_all), by=by, what="it is resumed")

    def retry(self, run: str, *, layer: str | None = None, by: str = "") -> None:
        """Have *run* redone from *layer* on (default: from its first); earlier layers are kept and not repaid.

        Raises:
            NoSuchRun: there is none.
            RunConflict: it has not ended, or has no such layer.
        """
        row = self._shop.store.row(run)
        if row.status not in {"ok", "failed", "cancelled"}:
            self._conflict(run, "redone")
        step = 1
        if layer is not None:
            steps = [one.step for one in self._shop.store.layers(run) if one.layer == layer and one.step is not None]
            if not steps:
                known = ", ".join(one.layer for one in self._shop.store.layers(run)) or "none"
                msg = f"run {run!r} has no layer {layer!r}; it has: {known}"
                raise RunConflict(msg)
            step = steps[0]
        self._redo(row, step, by=by, what=f"it is redone from {layer or 'its first layer'} on")

    def _redo(self, row: RunRow, step: int, *, by: str, what: str) -> None:
        now, retries = self._shop.now(), row.retries + 1
        values = {
            "status": "queued",
            "due_at": now,
            "started_at": row.started_at,
            "ended_at": None,
            "deadline_at": None,
            "output": None,
            "error": None,
            "reason": None,
            "wanted": "",
            "workflow": f"{row.run}+{retries}",
            "forked_from": row.workflow,
            "fork_step": step,
            "retries": retries,
        }
        self._shop.store.redo(row.run, step, values)
        self._say(row.run, what, by)

    def _say(self, run: str, text: str, by: str) -> None:
        self._shop.say(run, f"{text} (by {by})" if by else text)

    def _conflict(self, run: str, what: str) -> None:
        status = self._shop.store.row(run).status
        msg = f"run {run!r} is {status}: it can't be {what}"
        raise RunConflict(msg)
