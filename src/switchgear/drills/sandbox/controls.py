"""The sandbox's own paths, under ``/-/``: its book, and the faults that wait."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from switchgear.drills.sandbox.generation import Reply

if TYPE_CHECKING:
    from switchgear.drills.sandbox.counts import Book, ReceivedRequest
    from switchgear.drills.sandbox.faults import FaultQueue

__all__ = ["Controls"]


class Controls:
    """``GET /-/stats``, ``GET /-/requests``, ``POST /-/reset``, ``POST`` and ``DELETE /-/faults``."""

    def __init__(self, *, book: Book, faults: FaultQueue) -> None:
        self._book: Final = book
        self._faults: Final = faults
        self._answers: Final = {
            ("GET", "/-/stats"): self._stats,
            ("GET", "/-/requests"): self._requests,
            ("POST", "/-/reset"): self._reset,
            ("POST", "/-/faults"): self._add_fault,
            ("DELETE", "/-/faults"): self._clear_faults,
        }

    def answer(self, request: ReceivedRequest) -> Reply:
        """Do what *request* asks, or answer 404."""
        answer = self._answers.get((request.method, request.path))
        if answer is None:
            return Reply.json({"error": f"the sandbox has no {request.method} {request.path}"}, status=404)
        return answer(request)

    def _stats(self, _: ReceivedRequest) -> Reply:
        return Reply.json(self._book.stats().to_dict())

    def _requests(self, _: ReceivedRequest) -> Reply:
        return Reply.json([one.to_dict() for one in self._book.requests()])

    def _reset(self, _: ReceivedRequest) -> Reply:
        self._book.clear()
        self._faults.clear()
        return Reply.json({"ok": True})

    def _clear_faults(self, _: ReceivedRequest) -> Reply:
        self._faults.clear()
        return Reply.json({"ok": True})

    def _add_fault(self, request: ReceivedRequest) -> Reply:
        try:
            asked = json.loads(request.body)
            self._faults.add(asked["fault"], times=asked.get("times"), path=asked.get("path"))
        except (ValueError, TypeError, KeyError, AttributeError) as problem:
            return Reply.json({"error": f"no fault: {problem}"}, status=400)
        return Reply.json({"ok": True})
