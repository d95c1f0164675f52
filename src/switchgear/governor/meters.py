"""What is kept beside the wire's readers: each service's own rules of counting, and running totals."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from switchgear.calls import NO_USAGE
from switchgear.wire.counted import CountedDialect, Route
from switchgear.wire.dialects import dialect_for
from switchgear.wire.kept import KeptDialect
from switchgear.wire.sums import rise

if TYPE_CHECKING:
    from switchgear.calls import Usage
    from switchgear.config.model import Config, ServiceConfig
    from switchgear.wire.base import Dialect

__all__ = ["Meters", "Running"]

_KEPT: Final = 4096


class Meters:
    """How the traffic of the services of *config* is counted; running totals go on from those of *before*.

    Attributes:
        running: running totals, each counted once.
    """

    def __init__(self, config: Config, before: Meters | None = None) -> None:
        self.running: Final[Running] = Running() if before is None else before.running
        self._keeps: Final = config.telemetry.content
        self._counted: Final = {
            name: CountedDialect(routes) for name, service in config.services.items() if (routes := _routes(service))
        }

    def dialect(self, service: str, kind: str, endpoint: str) -> Dialect:
        """Return the dialect of a request to *endpoint* of *service*, which is of *kind*."""
        dialect = self._counted.get(service) or dialect_for(kind, endpoint)
        return KeptDialect(dialect) if self._keeps else dialect


def _routes(service: ServiceConfig) -> list[Route]:
    routes = [
        Route(pattern=pattern, units=route.units, most=route.units_max) for pattern, route in service.routes.items()
    ]
    if service.units:
        routes.append(Route(pattern="* *", units=service.units, most=service.units_max))
    return routes


class Running:
    """Remembers what of each running total is counted already; of the 4096 that were asked about last.

    It is this process's memory: another process, or this one after a new start, counts a total anew
    if it is asked about again.
    """

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._counted: Final[OrderedDict[tuple[str, str], Usage]] = OrderedDict()

    def rise(self, service: str, name: str, total: Usage) -> Usage:
        """Return what *total* of the thing called *name* has more than was counted of it, and count that."""
        key = (service, name)
        with self._lock:
            counted = self._counted.pop(key, NO_USAGE)
            more = rise(total, counted)
            self._counted[key] = total
            if len(self._counted) > _KEPT:
                self._counted.popitem(last=False)
        return more
