"""Reading the configuration again while calls are in flight: checked first, then in force at once, on record."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final

from switchgear.config.effective import differences
from switchgear.config.problems import Problem
from switchgear.errors import ConfigError, LedgerError, StateError
from switchgear.events import BudgetCrossed, ConfigChanged
from switchgear.governor.chronicle import note_config
from switchgear.governor.keys import provider_keys
from switchgear.governor.opening import price_book
from switchgear.governor.past import history_of
from switchgear.governor.rules import budget_rules, service_rules
from switchgear.state.base import History

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from switchgear.config.load import Sourced
    from switchgear.config.model import Config
    from switchgear.events import Event
    from switchgear.governor.gate import Gate

__all__ = ["Reloader"]

_LIVE: Final = frozenset(
    {("server", "reporting_timezone"), ("server", "shutdown_timeout"), ("ledger", "retention_days")}
)
"""Keys of sections about the process itself that are read anew each time they are needed."""

_log = logging.getLogger("switchgear.config")


class Reloader:
    """Gives a gate another configuration, one at a time.

    Args:
        gate: the gate.
        current: the configuration that it was opened with.
        read: returns what the file and the environment say now; raises ConfigError.
        environ: where the keys of providers are.
        then: called with each new configuration when it is in force.

    Attributes:
        current: the configuration in force, with where each value comes from.
        problem: why what is on disk is not in force; None: it is.
    """

    def __init__(
        self,
        gate: Gate,
        current: Sourced,
        *,
        read: Callable[[], Sourced],
        environ: Mapping[str, str],
        then: Callable[[Config], None],
    ) -> None:
        self.current = current
        self.problem: str | None = None
        self._gate: Final = gate
        self._read: Final = read
        self._environ: Final = environ
        self._then: Final = then
        self._lock: Final = threading.Lock()

    def reload(self, by: str) -> ConfigChanged | None:
        """Read the configuration again, and hold to it from the next admission on; return what has changed.

        Calls in flight go on, and settle under what they were admitted under. What is counted stays
        counted where a limit, a breaker or a budget goes on as it was; what is new begins with what
        the ledger remembers. None: nothing has changed.

        Raises:
            ConfigError: what is on disk is not valid, or can't hold without a restart; each line is
                one problem, and the configuration until now stays in force.
            StateError, LedgerError: the change can't be made now; likewise.
        """
        with self._lock:
            try:
                change = self._change(by)
            except (ConfigError, LedgerError, StateError) as error:
                self.problem = "; ".join(str(error).splitlines())
                _log.error("the configuration on disk is not in force, the one until now is: %s", self.problem)
                raise
            self.problem = None
            if change is None:
                _log.info("the configuration was read again: nothing has changed")
            else:
                keys = ", ".join(key for key, _, _ in change.changes)
                _log.warning("the configuration has changed (%s): %s", by, keys)
            return change

    def _change(self, by: str) -> ConfigChanged | None:
        gate, old = self._gate, self._gate.config
        sourced = self._read()
        new = sourced.config
        changes = differences(old, new)
        if problems := list(_fixed(old, new)):
            raise sourced.source.error(problems)
        keys = provider_keys(new, self._environ)
        events: tuple[Event, ...] = ()
        if old != new:
            budgets = budget_rules(new)
            now = gate.clock.moment()
            lasting = (*budgets, *gate.ring.budgets)
            begins = _begins_something(old, new)
            history = history_of(gate.ledger, lasting, now, keys=gate.ring.limited) if begins else History()
            # The state first: it knows what is retired as well, so that plans of a moment ago find their rules.
            events = gate.state.reconfigure(
                service_rules(new), (*lasting, *gate.runs.budgets), history, gate.clock.moment()
            )
            gate.adopt(new, book=price_book(new), budgets=budgets, keys=keys)
        else:
            gate.adopt(old, book=gate.book, budgets=budget_rules(old), keys=keys)
        self.current = sourced
        self._then(new)
        for event in events:
            if isinstance(event, BudgetCrossed):
                gate.ledger.record(event)
        if not changes:
            return None
        change = ConfigChanged(
            changes=tuple((one.key, one.old, one.new) for one in changes),
            source=sourced.source.name,
            by=by,
            at=gate.clock.moment().wall,
        )
        note_config(gate.ledger, new, gate.clock, actor=by, reason=f"{sourced.source.name} was read again")
        gate.bus.publish((*events, change))
        return change


def _fixed(old: Config, new: Config) -> Iterator[Problem]:
    """Yield the keys of *new* that can't change while the process runs."""
    for section in ("server", "ledger", "state", "runner"):
        before, after = getattr(old, section), getattr(new, section)
        for key in type(after).model_fields:
            if (section, key) not in _LIVE and getattr(before, key) != getattr(after, key):
                yield Problem(
                    (section, key), "can't change while Switchgear runs; restart it, or put the old value back"
                )
    if old.alerts.channels != new.alerts.channels:
        yield Problem(
            ("alerts", "channels"), "can't change while Switchgear runs; restart it, or put the old value back"
        )


def _begins_something(old: Config, new: Config) -> bool:
    """Whether *new* has a limit or a budget that *old* has not counted."""
    counted = {rule.counted for rule in budget_rules(old)}
    windows = _windows(old)
    return not _windows(new) <= windows or any(rule.counted not in counted for rule in budget_rules(new))


def _windows(config: Config) -> set[tuple[str, str, str | None]]:
    return {
        (name, rule.name, rule.timezone) for name, rules in service_rules(config).items() for rule in rules.limits
    } | {(name, "", None) for name in config.services}
