from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from switchgear.ledger.views import CallFilter, CallPage, CallRow, EventRow, Totals
from switchgear.state.base import BreakerView, BudgetView, LimitView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchgear.clock import Moment
    from switchgear.ledger.views import Dimension


class FakeLedger:
    """Answers with the sums it was given, cut and grouped as asked for; remembers what was asked."""

    def __init__(self) -> None:
        self.rows: list[Totals] = []
        self.p95: int | None = None
        self.error: Exception | None = None
        self.under_way: list[int] = []
        self.asked: list[dict[str, object]] = []

    def calls(self, where: CallFilter, *, limit: int = 50, after: str | None = None) -> CallPage:
        self.asked.append({"calls": where})
        if self.error is not None:
            raise self.error
        open_since = [at for at in self.under_way if where.until is None or at < where.until]
        rows = tuple(self._row(at) for at in open_since) if where.status == "reserved" else ()
        return CallPage(items=rows[:limit], next=None)

    @staticmethod
    def _row(at: int) -> CallRow:
        fields: dict[str, object] = dict.fromkeys(CallRow.__struct_fields__)
        texts = dict.fromkeys(("id", "call_id", "service", "endpoint"), "x")
        numbers = {name: 0 for name in fields if name.endswith("tokens")} | {"attempt": 1, "waited_us": 0}
        flags = {"streamed": False, "estimated": False, "tags": {}, "units": {}, "status": "reserved"}
        return msgspec.convert({**fields, **texts, **numbers, **flags, "started_at": at}, CallRow)

    def call(self, call_id: str) -> tuple[CallRow, ...]:
        return ()

    def totals(
        self,
        *,
        since: int | None = None,
        until: int | None = None,
        by: Sequence[Dimension] = (),
        bucket_us: int | None = None,
        service: str | None = None,
    ) -> tuple[Totals, ...]:
        if self.error is not None:
            raise self.error
        self.asked.append({"since": since, "by": tuple(by), "bucket_us": bucket_us})
        groups: dict[tuple[object, ...], dict[str, int]] = {}
        for row in self.rows:
            at = row.bucket or 0
            if (since is not None and at < since) or (until is not None and at >= until):
                continue
            start = at - at % bucket_us if bucket_us else None
            sums = groups.setdefault((start, *(row.group.get(name) for name in by)), {})
            for name in Totals.__struct_fields__[2:]:
                sums[name] = sums.get(name, 0) + getattr(row, name)
        return tuple(
            msgspec.convert({"bucket": key[0], "group": dict(zip(by, key[1:], strict=True)), **sums}, Totals)
            for key, sums in groups.items()
        )

    def latency(
        self, *, since: int, until: int, service: str | None = None, shares: Sequence[float] = (0.5, 0.95, 0.99)
    ) -> dict[float, int] | None:
        return None if self.p95 is None else dict.fromkeys(shares, self.p95)

    def events(self, *, kind: str | None = None, limit: int = 50) -> tuple[EventRow, ...]:
        return ()


class FakeState:
    """Says what it was told to."""

    def __init__(self) -> None:
        self.breaker_views: list[BreakerView] = []
        self.limit_views: list[LimitView] = []
        self.budget_views: list[BudgetView] = []

    def breakers(self, now: Moment) -> Sequence[BreakerView]:
        return self.breaker_views

    def limits(self, now: Moment) -> Sequence[LimitView]:
        return self.limit_views

    def budgets(self, now: Moment) -> Sequence[BudgetView]:
        return self.budget_views


class Make:
    """Makes views and sums from the few facts that a test is about."""

    @staticmethod
    def breaker(service: str = "openai", **facts: object) -> BreakerView:
        defaults: dict[str, object] = {
            "state": "closed",
            "since": 0,
            "failures": 0,
            "failure_threshold": 5,
            "calls": 0,
            "failed": 0,
            "failure_rate": 0.5,
            "minimum_calls": 10,
            "opened_times": 0,
            "rejected": 0,
            "next_probe_at": None,
            "probes": 0,
            "max_probes": 1,
            "reason": None,
        }
        return msgspec.convert({"service": service, **defaults, **facts}, BreakerView)

    @staticmethod
    def limit(used: int, limit: int, **facts: object) -> LimitView:
        defaults: dict[str, object] = {
            "service": "openai",
            "rule": "requests_per_minute",
            "unit": "requests",
            "window": 60_000_000,
            "waiting": 0,
            "free_at": None,
        }
        return msgspec.convert({**defaults, "used": used, "limit": limit, **facts}, LimitView)

    @staticmethod
    def budget(spent: int, limit: int, **facts: object) -> BudgetView:
        defaults: dict[str, object] = {
            "budget": "month",
            "value": None,
            "kind": "fail",
            "unit": "usd",
            "reserved": 0,
            "period": "month",
            "period_start": 1,
            "period_end": 2_000_000,
            "thresholds": (0.75, 0.9, 1.0),
            "unpriced": 0,
            "refused": 0,
        }
        return msgspec.convert({**defaults, "spent": spent, "limit": limit, **facts}, BudgetView)

    @staticmethod
    def totals(at: int, service: str = "openai", **sums: object) -> Totals:
        group = {"service": service, "model": sums.pop("model", None), "layer": sums.pop("layer", None)}
        return msgspec.convert({"group": group, "bucket": at, **sums}, Totals)


@pytest.fixture
def ledger() -> FakeLedger:
    """An empty ledger."""
    return FakeLedger()


@pytest.fixture
def state() -> FakeState:
    """A state without services."""
    return FakeState()


@pytest.fixture(scope="session")
def make() -> type[Make]:
    """Make views and sums."""
    return Make
