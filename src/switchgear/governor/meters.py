"""What is kept beside the wire's readers: each service's own rules of counting, and running totals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.wire.counted import CountedDialect, Route
from switchgear.wire.dialects import dialect_for
from switchgear.wire.kept import KeptDialect

if TYPE_CHECKING:
    from switchgear.config.model import Config, ServiceConfig
    from switchgear.governor.running import Running
    from switchgear.wire.base import Dialect

__all__ = ["Meters"]


class Meters:
    """How the traffic of the services of *config* is counted.

    Attributes:
        running: running totals, each counted once.
    """

    def __init__(self, config: Config, running: Running) -> None:
        self.running: Final = running
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
