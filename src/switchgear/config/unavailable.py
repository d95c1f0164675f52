"""What the configuration has words for and this version does not do yet: refused, never silently ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.config.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.config.model import Config
    from switchgear.config.problems import KeyPath

__all__ = ["unavailable"]

_EXACT: Final = 2**53
"""Up to here a shared state counts exactly: 9,007,199 USD in nano-USD."""


def unavailable(config: Config) -> Iterator[Problem]:
    """Yield each setting of *config* that this version can't do."""
    if config.state.url != "memory://":
        yield from _shared(config)


def _shared(config: Config) -> Iterator[Problem]:
    for name, service in config.services.items():
        for key in ("limits", "shadow_limits"):
            if getattr(service, key).day == "calendar":
                yield _problem(("services", name, key, "day"), "a limit by the calendar day with a shared state")
    for at, budget in enumerate(config.budgets):
        key = "limit_tokens" if budget.limit_usd is None else "limit_usd"
        if (getattr(budget, key) or 0) > _EXACT:
            yield _problem(("budgets", at, key), "a limit above 9007199254740992 (9,007,199 USD) with a shared state")


def _problem(path: KeyPath, what: str) -> Problem:
    return Problem(path, f"{what} is not available in this version")
