"""The collector: one picture of everything, read from the ledger and the live state."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from switchgear.clock import MICROS
from switchgear.errors import LedgerError, StateError
from switchgear.insight.days import day_start, from_micros, month_start
from switchgear.insight.health import HealthRules, ServiceCalls, assess
from switchgear.insight.live import breaker_metrics, budget_metrics, limit_metrics
from switchgear.insight.metrics import MetricsSnapshot, RecentCalls
from switchgear.insight.past import PastSums
from switchgear.insight.totals import by_service, recent_calls, token_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Literal

    from switchgear.clock import Clock, Moment
    from switchgear.config.model import Config
    from switchgear.insight.exports import ExportCounts
    from switchgear.insight.metrics import (
        BudgetMetrics,
        CircuitBreakerMetrics,
        HealthReason,
        RateLimitMetrics,
        SystemHealth,
        TokenMetrics,
    )
    from switchgear.insight.sources import CallLedger, LiveNumbers
    from switchgear.ledger.views import Dimension, Totals

__all__ = ["MetricsCollector", "nothing", "well"]

_BUCKET: Final = 15 * 60 * MICROS
_MINUTE: Final = 60 * MICROS
_SHARES: Final[tuple[Dimension, ...]] = ("service", "model", "layer")


def well() -> str | None:
    """Return None: nothing is wrong with the ledger."""
    return None


def nothing() -> None:
    """Return None: nothing is exported."""


class MetricsCollector:
    """Reads ledger and state, and commands nothing; safe to use from several threads.

    Args:
        reader: the ledger's read side.
        state: the live numbers.
        clock: the time of the picture.
        config: which services are critical, what budgets match, the reporting time zone.
        ledger_problem: returns as a phrase why the ledger lets no call go, None when it does.
        ledger_warning: returns as a phrase what it does not record although calls go, None when it does.
        notes: returns what else there is to say of this process, for instance that it is about to end.
        rules: the thresholds of the overall status.
        denials: returns how many requests were turned away for their key, by why.
        exports: returns what became of spans that leave for other people's tools.
    """

    def __init__(  # noqa: PLR0913 - what each part of the picture is from
        self,
        reader: CallLedger,
        state: LiveNumbers,
        clock: Clock,
        *,
        config: Config,
        ledger_problem: Callable[[], str | None] = well,
        ledger_warning: Callable[[], str | None] = well,
        notes: Callable[[], tuple[HealthReason, ...]] = tuple,
        rules: HealthRules | None = None,
        denials: Callable[[], Mapping[str, int]] = dict[str, int],
        exports: Callable[[], ExportCounts | None] = nothing,
    ) -> None:
        self._reader = reader
        self._state = state
        self._clock = clock
        self._notes = notes
        self._rules = rules or HealthRules()
        self._past = PastSums(reader, _SHARES)
        self._lifetime = PastSums(reader, ("service",))
        self.ledger_problem = ledger_problem
        self._ledger_warning = ledger_warning
        self.denials = denials
        self.exports = exports
        self.adopt(config)

    def adopt(self, config: Config) -> None:
        """Read by *config* from now on."""
        self._config = config
        self._zone = ZoneInfo(config.server.reporting_timezone)
        self._providers = {name: service.provider or name for name, service in config.services.items()}

    def snapshot(self) -> MetricsSnapshot:
        """Return the picture as of now.

        Raises:
            LedgerError: the ledger can't be read.
        """
        moment = self._clock.moment()
        now = moment.wall
        breakers, limits, budgets = self._live(moment)
        today = day_start(now, self._zone)
        today_rows = self._reader.totals(since=today, by=_SHARES)
        month_since = month_start(now, self._zone)
        past = self._past.read(since=month_since, today=today, now=now)
        month = self._period("month", (*past, *today_rows), month_since, now)
        errors_since = (now - 5 * _MINUTE) // _BUCKET * _BUCKET
        hour_since = (now - 60 * _MINUTE) // _BUCKET * _BUCKET
        hour_rows = self._reader.totals(since=hour_since, by=("service",))
        errors = recent_calls(self._reader.totals(since=errors_since), since=errors_since, until=now)
        health = assess(
            now=from_micros(now),
            zone=self._zone,
            breakers=breakers,
            limits=limits,
            budgets=budgets,
            errors=errors,
            calls=self._service_calls([breaker.service for breaker in breakers], hour_rows, month, now=now),
            ledger_problem=self.ledger_problem(),
            ledger_warning=self._ledger_warning(),
            notes=self._notes(),
            rules=self._rules,
        )
        return MetricsSnapshot(
            generated_at=from_micros(now),
            timezone=self._zone.key,
            health=health,
            today=self._period("today", today_rows, today, now),
            month=month,
            errors=errors,
            hour=self._hour(hour_rows, since=hour_since, now=now),
            breaker_states=dict(sorted(Counter(breaker.state for breaker in breakers).items())),
            breakers=breakers,
            limits=limits,
            budgets=budgets,
            exports=self.exports(),
        )

    def health(self) -> SystemHealth:
        """Return the overall status as of now; a ledger or state that can't be read is a status, not an error."""
        try:
            return self.snapshot().health
        except (LedgerError, StateError) as error:
            moment = self._clock.moment()
            now = from_micros(moment.wall)
            of_ledger = isinstance(error, LedgerError)
            breakers, limits, budgets = self._live(moment) if of_ledger else ((), (), ())
            return assess(
                now=now,
                zone=self._zone,
                breakers=breakers,
                limits=limits,
                budgets=budgets,
                errors=RecentCalls(since=now, until=now),
                calls={},
                ledger_problem=str(error) if of_ledger else self.ledger_problem(),
                ledger_warning=self._ledger_warning(),
                state_problem=None if of_ledger else str(error),
                notes=self._notes(),
                rules=self._rules,
            )

    def breakers(self) -> tuple[CircuitBreakerMetrics, ...]:
        """Return every breaker as of now."""
        return breaker_metrics(self._state.breakers(self._clock.moment()), self._config.services)

    def limits(self) -> tuple[RateLimitMetrics, ...]:
        """Return every limit as of now."""
        return limit_metrics(self._state.limits(self._clock.moment()))

    def budgets(self) -> tuple[BudgetMetrics, ...]:
        """Return every budget account as of now."""
        return budget_metrics(self._state.budgets(self._clock.moment()), self._config.budgets)

    def lifetime(self) -> tuple[Totals, ...]:
        """Return the sums of the whole ledger by service, for counters that never go back.

        Raises:
            LedgerError: the ledger can't be read.
        """
        now = self._clock.moment().wall
        today = day_start(now, self._zone)
        past = self._lifetime.read(since=None, today=today, now=now)
        return by_service((*past, *self._reader.totals(since=today, by=("service",))))

    def _live(
        self, moment: Moment
    ) -> tuple[tuple[CircuitBreakerMetrics, ...], tuple[RateLimitMetrics, ...], tuple[BudgetMetrics, ...]]:
        return (
            breaker_metrics(self._state.breakers(moment), self._config.services),
            limit_metrics(self._state.limits(moment)),
            budget_metrics(self._state.budgets(moment), self._config.budgets),
        )

    def _period(
        self, period: Literal["today", "month"], rows: Sequence[Totals], since: int, until: int
    ) -> TokenMetrics:
        return token_metrics(rows, period=period, since=since, until=until, providers=self._providers)

    def _hour(self, rows: Sequence[Totals], *, since: int, now: int) -> RecentCalls:
        slowest = self._reader.latency(since=now - 60 * _MINUTE, until=now, shares=(0.95,))
        return recent_calls(rows, since=since, until=now, p95_us=None if slowest is None else slowest[0.95])

    def _service_calls(
        self, services: Sequence[str], hour: Sequence[Totals], month: TokenMetrics, *, now: int
    ) -> Mapping[str, ServiceCalls]:
        recent = {row.group["service"]: row for row in hour}
        known = {share.name for share in month.by_service}
        if not known.issuperset(services):
            # Roll-ups are asked, and only once a day: a service without calls is in no index of attempts.
            past = self._lifetime.read(since=None, today=day_start(now, self._zone), now=now)
            known |= {row.group["service"] for row in past}
        found: dict[str, ServiceCalls] = {}
        for name in services:
            row = recent.get(name)
            if row is not None:
                found[name] = ServiceCalls(calls=row.calls, failed=row.failed, refused=row.refused, ever=True)
            else:
                found[name] = ServiceCalls(ever=name in known)
        return found
