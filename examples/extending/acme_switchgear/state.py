"""A state of one's own: `state.url = "watched:///var/log/admissions.txt"`.

It is made with what the built-in shared state is made with. This one keeps the numbers in memory, by the same rules as
always, and notes every refusal in a file. A real engine keeps them elsewhere, and passes `tests/contract` of
Switchgear's repository, which says what a state must do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from switchgear.calls import Refusal
from switchgear.clock import Clock, Moment
from switchgear.state.base import Admission, AdmissionRequest, Waiting
from switchgear.state.memory import MemoryState


class WatchedState(MemoryState):
    """The numbers of one process, and a line for each refusal."""

    def __init__(self, url: str, *, clock: Clock, **given: Any) -> None:  # noqa: ANN401 - see above
        super().__init__(services=given["services"], budgets=given["budgets"], started=clock.moment())
        self._file = Path(url.partition("://")[2])

    def admit(self, request: AdmissionRequest, now: Moment, slot: int | None = None) -> Admission | Waiting | Refusal:
        """Decide as always; note a no. The tasks' half (`aadmit`) comes here too."""
        answer = super().admit(request, now, slot)
        if isinstance(answer, Refusal):
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"{request.service} {answer.reason} {answer.rule}\n")
        return answer
