"""What the configuration has words for and this version does not do yet: refused, never silently ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.config.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from switchgear.config.model import BudgetConfig, Config, ServiceConfig
    from switchgear.config.problems import KeyPath

__all__ = ["unavailable"]

_TOP: Final[tuple[tuple[KeyPath, str, Callable[[Config], bool]], ...]] = (
    (("state", "url"), 'any state but "memory://"', lambda config: config.state.url != "memory://"),
    (("ledger", "url"), "any ledger but sqlite", lambda config: not config.ledger.url.startswith("sqlite://")),
)
_SERVICE: Final[tuple[tuple[KeyPath, str, Callable[[ServiceConfig], bool]], ...]] = (
    (("retry", "attempts"), "more than 1 attempt", lambda service: service.retry.attempts > 1),
    (("fallback",), "a fallback", lambda service: bool(service.fallback)),
)
_BUDGET: Final[tuple[tuple[KeyPath, str, Callable[[BudgetConfig], bool]], ...]] = (
    (("action",), 'the action "degrade"', lambda budget: budget.action == "degrade"),
    (("degrade_to",), 'the action "degrade"', lambda budget: budget.degrade_to is not None),
    (("reserve",), 'a reserve other than "worst_case"', lambda budget: budget.reserve != "worst_case"),
)


def unavailable(config: Config) -> Iterator[Problem]:
    """Yield each setting of *config* that this version can't do."""
    for key, what, is_used in _TOP:
        if is_used(config):
            yield _problem(key, what)
    for name, service in config.services.items():
        for key, what, is_used_by in _SERVICE:
            if is_used_by(service):
                yield _problem(("services", name, *key), what)
    for at, budget in enumerate(config.budgets):
        for key, what, is_used_in in _BUDGET:
            if is_used_in(budget):
                yield _problem(("budgets", at, *key), what)


def _problem(path: KeyPath, what: str) -> Problem:
    return Problem(path, f"{what} is not available in this version")
