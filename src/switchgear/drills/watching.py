"""Looks at a running gateway's budgets again and again while something else goes on."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

    from switchgear.clock import Clock
    from switchgear.drills.asking import Client

__all__ = ["BudgetWatch"]

_PAUSE: Final = 0.02


class BudgetWatch:
    """Looks for as long as the ``with`` block lasts.

    Attributes:
        looks: how often it has looked.
        most: the most that was spent and reserved at one look, in USD.
    """

    def __init__(self, client: Client, budget: str, clock: Clock) -> None:
        self._client: Final = client
        self._budget: Final = budget
        self._clock: Final = clock
        self._stop: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._look, name="budget-watch", daemon=True)
        self.looks = 0
        self.most = Decimal(0)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.is_set():
            for budget in self._client.get("/api/budgets")["items"]:
                if budget["name"] == self._budget:
                    self.most = max(self.most, Decimal(budget["spent_usd"]) + Decimal(budget["reserved_usd"]))
                    self.looks += 1
            self._clock.sleep(_PAUSE, self._stop)
