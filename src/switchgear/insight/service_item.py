"""A service as everybody outside sees it: the items of ``/api/services`` and of ``switchgear services``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchgear.insight.metrics import CircuitBreakerMetrics, RateLimitMetrics

if TYPE_CHECKING:
    from switchgear.config.model import Config
    from switchgear.insight.snapshot import MetricsCollector

__all__ = ["ServiceItem", "ServiceList", "providers_of"]


class ServiceItem(msgspec.Struct, frozen=True, kw_only=True):
    """A service; *path* is where the gateway serves it."""

    name: str
    kind: str
    provider: str
    critical: bool
    path: str
    breaker: CircuitBreakerMetrics | None
    limits: tuple[RateLimitMetrics, ...]


class ServiceList(msgspec.Struct, frozen=True, kw_only=True):
    """Services, in the order of the configuration. All are on one page: *next* is null."""

    items: tuple[ServiceItem, ...]
    next: str | None = None

    @classmethod
    def of(cls, config: Config, collector: MetricsCollector) -> ServiceList:
        """Return every service of *config* as *collector* finds it now."""
        breakers = {breaker.service: breaker for breaker in collector.breakers()}
        limits = collector.limits()
        return cls(
            items=tuple(
                ServiceItem(
                    name=name,
                    kind=service.kind,
                    provider=service.provider or name,
                    critical=service.critical,
                    path=f"/{name}",
                    breaker=breakers.get(name),
                    limits=tuple(limit for limit in limits if limit.service == name),
                )
                for name, service in config.services.items()
            )
        )


def providers_of(config: Config) -> dict[str, str]:
    """Return the provider of each service of *config*; a service without one is its own."""
    return {name: service.provider or name for name, service in config.services.items()}
