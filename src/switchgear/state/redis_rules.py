"""The rules as the scripts of a shared state read them, and what such a state can't do: said at once, not in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from switchgear.errors import ConfigError
from switchgear.policies.budget import period_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from switchgear.policies.breaker import BreakerRule
    from switchgear.policies.budget import BudgetRule
    from switchgear.policies.limit_rule import LimitRule
    from switchgear.state.base import Account
    from switchgear.state.memory import ServiceRules

__all__ = ["EXACT", "Rules"]

EXACT: Final = 2**53
"""Up to here a number of the scripts, a double, is exact: 9,007,199 USD in nano-USD."""

_EARLIER: Final = 1_000_000
"""Microseconds by which our idea of the server's time may be ahead of it when a period ends."""


class _Period(msgspec.Struct, frozen=True, gc=False):
    start: int
    finish: int
    next: int
    until: int


class Rules:
    """The rules of every service and budget, encoded once.

    Args:
        services: the rules of every service.
        budgets: every budget.
        before: the rules until now. What is in them and is configured no more stays known, since
            calls in flight hold something under it.

    Attributes:
        services: those that are configured, by name.
        budgets: likewise.
        known_services: with those that are configured no more, as they were last.
        known_budgets: likewise.

    Raises:
        ConfigError: a limit is too large to be counted exactly in a shared state, or what a key
            there counts would become something else.
    """

    def __init__(
        self, services: Mapping[str, ServiceRules], budgets: Iterable[BudgetRule], before: Rules | None = None
    ) -> None:
        self.services: Final = dict(sorted(services.items()))
        self.budgets: dict[str, BudgetRule] = {rule.name: rule for rule in budgets}
        for rule in self.budgets.values():
            _counted(f"the budget {rule.name!r}", rule.limit)
        self.known_services: Final[dict[str, ServiceRules]] = self.services.copy()
        self.known_budgets: dict[str, BudgetRule] = self.budgets.copy()
        if before is not None:
            _go_on(before, self)
            self.known_services.update(before.known_services | self.services)
            self.known_budgets.update(before.known_budgets | self.budgets)
        self._services: Final = {name: _raw(_service(name, rules)) for name, rules in self.known_services.items()}
        self._budgets: dict[str, msgspec.Raw] = {name: _raw(_budget(rule)) for name, rule in self.known_budgets.items()}
        self._periods: dict[str, _Period] = {}
        # Replaced as a whole when they change: other threads read them meanwhile.
        self.scopes: dict[str, tuple[LimitRule, ...]] = {} if before is None else before.scopes
        self._scopes: dict[str, msgspec.Raw] = {} if before is None else before._scopes  # noqa: SLF001 - of its own kind

    def set_scope(self, name: str, limits: Sequence[LimitRule]) -> None:
        """Hold calls under scope *name* to *limits* from now on."""
        raw = _raw({"name": name, "limits": _limits(name, limits)})
        self.scopes = {**self.scopes, name: tuple(limits)}
        self._scopes = {**self._scopes, name: raw}

    def add_budget(self, rule: BudgetRule) -> None:
        """Know one more budget; one that is known stays as it is."""
        if rule.name not in self.budgets:
            _counted(f"the budget {rule.name!r}", rule.limit)
            self._budgets = {**self._budgets, rule.name: _raw(_budget(rule))}
            self.known_budgets = {**self.known_budgets, rule.name: rule}
            self.budgets = {**self.budgets, rule.name: rule}

    def drop_budget(self, name: str) -> None:
        """Hold no call to budget *name* any more; calls in flight still settle under it."""
        self.budgets = {known: rule for known, rule in self.budgets.items() if known != name}

    def under(self, scopes: Iterable[str]) -> list[msgspec.Raw]:
        """Return those of *scopes* that have limits, with them."""
        return [raw for name in scopes if (raw := self._scopes.get(name)) is not None]

    def all_scopes(self) -> list[msgspec.Raw]:
        """Return every scope with its limits."""
        return list(self._scopes.values())

    def rules_of(self, service: str) -> ServiceRules:
        """Return the rules of *service*, those that it had last if it is configured no more."""
        return self.known_services[service]

    def rule_of(self, budget: str) -> BudgetRule:
        """Return the rule of *budget*, the one that it had last if it is configured no more."""
        return self.known_budgets[budget]

    def service(self, name: str) -> msgspec.Raw:
        """Return the rules of service *name*."""
        return self._services[name]

    def all_services(self, *, retired: bool = False) -> dict[str, msgspec.Raw]:
        """Return the rules of every service, with *retired* those that are configured no more too."""
        return self._services if retired else {name: self._services[name] for name in self.services}

    def account(self, account: Account, server_us: int) -> dict[str, Any] | None:
        """Return *account* with its rule and the periods about the server's time; None for an unknown budget."""
        rule = self._budgets.get(account.budget)
        if rule is None:
            return None
        found = {"budget": account.budget, "rule": rule, **self._period(account.budget, server_us)}
        if account.value is not None:
            found["value"] = account.value
        return found

    def all_budgets(self, server_us: int, *, retired: bool = False) -> dict[str, dict[str, Any]]:
        """Return the rule and the periods of every budget, with *retired* as for services."""
        names = self._budgets if retired else self.budgets
        return {name: {"rule": self._budgets[name], **self._period(name, server_us)} for name in names}

    def hard(self, budget: str) -> bool:
        """Tell whether the limit of *budget* is held, rather than only watched."""
        rule = self.known_budgets.get(budget)
        return rule is not None and rule.hard and not rule.shadow

    def _period(self, budget: str, server_us: int) -> dict[str, int]:
        found = self._periods.get(budget)
        if found is None or not found.start <= server_us < found.until:
            found = self._periods[budget] = _periods(self.known_budgets[budget], server_us)
        return {"start": found.start, "finish": found.finish, "next": found.next}


def _go_on(before: Rules, after: Rules) -> None:
    """Refuse what would read numbers that others have written as something else."""
    for name, rules in after.services.items():
        old = before.known_services.get(name)
        if old is not None and (old.breaker.window_calls is None) != (rules.breaker.window_calls is None):
            msg = (
                f"services.{name}.breaker.window: with a shared state it can't change between a duration and "
                "a number of calls while others use it; stop every process first"
            )
            raise ConfigError(msg)
    for name, rule in after.budgets.items():
        was = before.known_budgets.get(name)
        if was is not None and was.counted != rule.counted:
            msg = (
                f"budgets.{name}: with a shared state what a budget counts (match, each, period, usd or tokens) "
                "can't change under the same name; give it another name"
            )
            raise ConfigError(msg)


def _periods(rule: BudgetRule, server_us: int) -> _Period:
    """Return the period that held just before *server_us*, which may be the one before the one that holds now."""
    first = period_of(rule, max(0, server_us - _EARLIER))
    if first.end is None:
        return _Period(0, -1, -1, EXACT)
    second = period_of(rule, first.end)
    assert second.end is not None  # noqa: S101 - it has the same rule as the first
    return _Period(first.start, first.end, second.end, first.end + _EARLIER)


def _counted(what: str, limit: int) -> None:
    if limit > EXACT:
        msg = f'{what} is larger than a shared state can count exactly (9,007,199 USD); use state.url = "memory://"'
        raise ConfigError(msg)


def _raw(rules: dict[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.msgpack.encode(rules))


def _limits(name: str, limits: Iterable[LimitRule]) -> list[dict[str, Any]]:
    limits = tuple(limits)
    for rule in limits:
        _counted(f"{rule.name} of {name}", rule.limit)
        if rule.timezone is not None:
            msg = f"{rule.name} of {name}: a limit by the calendar day is not available with a shared state yet"
            raise ConfigError(msg)
    return [{"name": rule.name, "unit": rule.unit, "limit": rule.limit, "window": rule.window_us} for rule in limits]


def _service(name: str, rules: ServiceRules) -> dict[str, Any]:
    said = {"name": name, "limits": _limits(name, rules.limits), "breaker": _breaker(rules.breaker)}
    return said | ({"shadow": _limits(name, rules.shadow)} if rules.shadow else {})


def _breaker(rule: BreakerRule) -> dict[str, Any]:
    size = rule.window_calls
    minimum = min(rule.minimum_calls, size or rule.minimum_calls)
    span = f"within {rule.window_us / 1e6:g} s" if size is None else f"of the last {size}"
    return {
        "failures": rule.failure_threshold,
        "recovery": rule.recovery_us,
        "max_recovery": rule.max_recovery_us,
        "backoff": rule.backoff,
        "jitter": rule.jitter,
        "retry_after": rule.retry_after,
        "rate": rule.failure_rate,
        "minimum": minimum,
        "window": rule.window_us,
        "calls": size or 0,
        "slow": -1 if rule.slow_us is None else rule.slow_us,
        "slow_rate": rule.slow_rate,
        "probes": rule.probes,
        "successes": rule.success_threshold,
        "lease": rule.probe_lease_us,
        "failed_span": f"{span} (threshold {rule.failure_rate:.0%} from {minimum} calls)",
        "slow_span": f"{span} (threshold {rule.slow_rate:.0%} from {minimum} calls)",
    }


def _budget(rule: BudgetRule) -> dict[str, Any]:
    return {
        "unit": rule.unit,
        "limit": rule.limit,
        "marks": rule.marks,
        "thresholds": rule.thresholds,
        "hard": rule.hard,
        "action": rule.action,
        "expected": rule.reserve == "expected",
        "rolling": rule.rolling_us or 0,
        "each": rule.each is not None,
        "shadow": rule.shadow,
    }
