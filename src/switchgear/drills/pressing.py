"""Callers that ask without a pause for as long as something else goes on."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from switchgear.drills.asking import Answer

__all__ = ["Pressure"]


class Pressure:
    """Asks from several threads for as long as the ``with`` block lasts; afterwards *answers* has what came of it.

    Args:
        ask: is called with a number of its own each time.
        callers: how many threads there are.
    """

    def __init__(self, ask: Callable[[int], Answer], *, callers: int) -> None:
        self._ask: Final = ask
        self._numbers: Final = itertools.count()
        self._over: Final = threading.Event()
        self._lock: Final = threading.Lock()
        self._threads: Final = [threading.Thread(target=self._press, name="caller") for _ in range(callers)]
        self.answers: Final[list[tuple[int, Answer]]] = []

    def end(self) -> None:
        """Let every caller finish the call that it is making."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _press(self) -> None:
        while not self._over.is_set():
            number = next(self._numbers)
            answer = self._ask(number)
            with self._lock:
                self.answers.append((number, answer))
