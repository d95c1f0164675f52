"""``CircuitBreakerRegistry``: one breaker for each name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from switchgear.standalone.breaker import CircuitBreaker
from switchgear.standalone.circuit import BreakerStats
from switchgear.standalone.presets import PRESETS
from switchgear.standalone.registry import Registry

if TYPE_CHECKING:
    from typing import Self

__all__ = ["CircuitBreakerRegistry"]


class CircuitBreakerRegistry(Registry[CircuitBreaker, BreakerStats]):
    """Keeps one *CircuitBreaker* for each name.

    As in the configuration file, a breaker of a known name (``openai``, ``anthropic``, ``firecrawl``,
    ``pdf_service``) takes what is not said from the preset of that name.

    Args:
        settings: settings of *CircuitBreaker* for every breaker that says nothing else, before the
            presets; ``clock``, say.
    """

    noun = "breaker"

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - the settings of CircuitBreaker
        super().__init__()
        self._settings: Final = settings

    @classmethod
    def with_presets(cls, **settings: Any) -> Self:  # noqa: ANN401 - the settings of CircuitBreaker
        """Return a registry in which the breakers of all known names are made already."""
        registry = cls(**settings)
        for name in PRESETS:
            registry.get_or_create(name)
        return registry

    def _make(self, name: str, settings: dict[str, Any]) -> CircuitBreaker:
        return CircuitBreaker(name, **{**PRESETS.get(name, {}), **self._settings, **settings})
