"""What a configuration says to calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from switchgear.calls import Refusal
from switchgear.errors import ConfigError, refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchgear.calls import Call
    from switchgear.config.model import Config, ServiceConfig
    from switchgear.governor.planning import Planner

__all__ = ["Terms"]


class Terms(NamedTuple):
    """What a configuration says to calls, as one reference: whoever holds it holds all of it or none."""

    config: Config
    keys: Mapping[str, str]
    planner: Planner

    def service(self, name: str) -> ServiceConfig:
        """Return the configuration of service *name*.

        Raises:
            ConfigError: there is no such service; the known ones are listed.
        """
        service = self.config.services.get(name)
        if service is None:
            known = ", ".join(sorted(self.config.services)) or "none"
            msg = f"there is no service {name!r}; the configured ones are: {known}"
            raise ConfigError(msg)
        return service

    def require(self, call: Call) -> None:
        """Make sure that *call* may be planned.

        Raises:
            ConfigError: there is no such service.
            Refused: there was one at the attempt before, so that what came of that one stands.
        """
        if call.service in self.config.services:
            return
        if call.attempt > 1:
            message = f"{call.service} has been taken out of the configuration since the attempt before"
            raise refused(Refusal(reason="breaker", rule="breaker", service=call.service, message=message))
        self.service(call.service)
