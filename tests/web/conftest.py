from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from tests.web.browsing import ARGUMENTS, Site, chromium

from switchgear.calls import Attribution, Call, Reason, Refusal, Usage, new_call_id
from switchgear.clock import MICROS, Moment
from switchgear.config.model import Config
from switchgear.events import BreakerChanged
from switchgear.insight.snapshot import MetricsCollector
from switchgear.ledger.ledger import Ledger
from switchgear.ledger.rows import AttemptRefused, AttemptReserved, AttemptSettled
from switchgear.state.base import (
    BreakerView,
    BudgetView,
    LimitView,
)
from switchgear.testing import ManualClock
from switchgear.web.app import create_app
from switchgear.web.deps import WebDeps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from playwright.sync_api import Browser

NOW = dt.datetime(2026, 11, 24, 13, 3, 7, tzinfo=dt.UTC).timestamp()
NOW_US = int(NOW) * MICROS
MINUTE = 60 * MICROS
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NANO = 1_000_000_000

CONFIG: dict[str, Any] = {
    "server": {"reporting_timezone": "Europe/Vienna"},
    "services": {
        "openai": {"kind": "openai", "base_url": "https://user:secret@api.openai.com", "critical": True},
        "anthropic": {"kind": "anthropic", "api_key_env": "ANTHROPIC_API_KEY"},
        "firecrawl": {"kind": "http", "base_url": "https://api.firecrawl.dev"},
        "local": {"kind": "openai"},
    },
    "budgets": [
        {"name": "anthropic-month", "match": {"service": "anthropic"}, "limit_usd": "50", "period": "month"},
        {"name": "job-default", "each": "job", "limit_usd": "1", "action": "skip"},
        {"name": "all-tokens", "limit_tokens": 2_000_000, "period": "day", "action": "warn"},
    ],
}


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


class Place(msgspec.Struct, kw_only=True):
    """One Switchgear to look at: its app, and what is behind it."""

    deps: WebDeps
    state: FakeState
    clock: ManualClock
    ledger: Ledger
    trouble: list[str]
    app: FastAPI
    file: Path

    @property
    def now(self) -> int:
        return self.clock.moment().wall

    def pen(self) -> Pen:
        return Pen(self.ledger)

    def client(self, *, raising: bool = True) -> TestClient:
        return TestClient(self.app, base_url="http://127.0.0.1:8400", raise_server_exceptions=raising)


class Views:
    """Makes what a state says."""

    @staticmethod
    def breaker(service: str, state: str = "closed", **numbers: object) -> BreakerView:
        defaults: dict[str, Any] = {
            "since": NOW_US - 3 * 24 * HOUR,
            "failures": 0,
            "failure_threshold": 5,
            "calls": 40,
            "failed": 1,
            "failure_rate": 0.5,
            "minimum_calls": 10,
            "opened_times": 0,
            "rejected": 0,
            "next_probe_at": None,
            "probes": 0,
            "max_probes": 3,
            "reason": None,
        }
        return msgspec.convert({"service": service, "state": state, **defaults, **numbers}, BreakerView)

    @staticmethod
    def limit(service: str, rule: str, used: int, most: int, **numbers: object) -> LimitView:
        unit = "tokens" if rule.startswith("tokens") else "calls" if rule == "concurrent" else "requests"
        defaults: dict[str, Any] = {"window": MINUTE, "waiting": 0, "free_at": None}
        fields = {"service": service, "rule": rule, "unit": unit, "limit": most, "used": used, **defaults, **numbers}
        return msgspec.convert(fields, LimitView)

    @staticmethod
    def budget(name: str, spent: int, reserved: int, most: int, **facts: object) -> BudgetView:
        defaults: dict[str, Any] = {
            "value": None,
            "kind": "fail",
            "unit": "usd",
            "period": "month",
            "period_start": NOW_US - 23 * 24 * HOUR,
            "period_end": NOW_US + 6 * 24 * HOUR + 10 * HOUR,
            "thresholds": (0.75, 0.9, 1.0),
            "unpriced": 0,
            "refused": 0,
        }
        fields = {"budget": name, "limit": most, "spent": spent, "reserved": reserved, **defaults, **facts}
        return msgspec.convert(fields, BudgetView)


class Pen:
    """Writes calls into a ledger as the governor would, and waits for the last one only."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._number = 0
        self._last: Any = None

    def call(  # noqa: PLR0913 - what a test wants to say of a call
        self,
        at: int,
        service: str = "openai",
        *,
        model: str | None = "gpt-5-mini",
        status: str = "ok",
        cost: int | None = 4_200_000,
        attribution: Attribution | None = None,
        attempt: int = 1,
        call_id: str | None = None,
        waited_us: int = 0,
        **facts: object,
    ) -> str:
        call = Call(
            id=call_id or self._id(at),
            service=service,
            endpoint="/v1/chat/completions",
            model=model,
            attribution=attribution or Attribution(job="acme-42", layer="research"),
            attempt=attempt,
            trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
            streamed=bool(facts.get("ttft_us")),
        )
        reserved = AttemptReserved(
            call=call,
            cost=None if cost is None else cost * 3,
            price_version="2026-11-20",
            started_at=at,
            waited_us=waited_us,
        )
        self._last = self._ledger.reserve(reserved)
        if status != "reserved":
            self.settle(call.id, attempt=attempt, status=status, cost=cost, **facts)
        return call.id

    def settle(
        self, call_id: str, *, attempt: int = 1, status: str = "ok", cost: int | None = 4_200_000, **facts: object
    ) -> None:
        settled = {
            "call_id": call_id,
            "attempt": attempt,
            "status": status,
            "usage": facts.get("usage", Usage(input_tokens=1912, output_tokens=310)),
            "cost": cost,
            "price_version": None if cost is None else "2026-11-20",
            "estimated": facts.get("estimated", False),
            "http_status": facts.get("http_status", 200 if status == "ok" else None),
            "error": facts.get("error"),
            "model": None,
            "ttft_us": facts.get("ttft_us"),
            "duration_us": facts.get("duration_us", 2_100_000),
        }
        self._last = self._ledger.settle(msgspec.convert(settled, AttemptSettled))

    def refuse(self, at: int, service: str, reason: Reason, rule: str, message: str, **numbers: object) -> str:
        attribution = Attribution(job="beta-7", layer="fit")
        call = Call(
            id=self._id(at), service=service, endpoint="/v1/messages", model="claude-sonnet", attribution=attribution
        )
        fields = {"reason": reason, "rule": rule, "service": service, "message": message, **numbers}
        refusal = msgspec.convert(fields, Refusal)
        self._last = self._ledger.refuse(
            AttemptRefused(call=call, refusal=refusal, cost=30_000_000, at=at, waited_us=0)
        )
        return call.id

    def event(self, event: BreakerChanged) -> None:
        self._last = self._ledger.record(event)

    def done(self) -> None:
        if self._last is not None:
            self._last.wait(10)

    def _id(self, at: int) -> str:
        self._number += 1
        return new_call_id(at)[:20] + f"{self._number:06d}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, for all tests of a file."""
    from playwright.sync_api import sync_playwright

    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS) as browser,
    ):
        yield browser


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console complained of."""
    return []


@pytest.fixture
def served(place: Place) -> Iterator[str]:
    """A Switchgear of one's own, served."""
    with Site(place) as address:
        yield address


@pytest.fixture(scope="session")
def views() -> type[Views]:
    """Make what a state says."""
    return Views


@pytest.fixture
def place(make_place: Callable[..., Place]) -> Place:
    """A Switchgear of one's own, to write into."""
    return make_place()


@pytest.fixture(scope="session")
def make_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Place]]:
    """Make a Switchgear over a real ledger and a state that is told what to say."""
    opened: list[Ledger] = []

    def make(config: dict[str, Any] | None = None, start: float = NOW) -> Place:
        clock = ManualClock(start=start)
        folder = tmp_path_factory.mktemp("ledger")
        ledger = Ledger.open(f"sqlite:///{folder}/switchgear.db", clock=clock)
        opened.append(ledger)
        state = FakeState()
        trouble: list[str] = []
        settings = Config.model_validate(CONFIG if config is None else config)
        collector = MetricsCollector(
            ledger.reader,
            state,
            clock,
            config=settings,
            ledger_problem=lambda: trouble[0] if trouble else None,
        )
        deps = WebDeps(
            collector=collector,
            reader=ledger.reader,
            config=settings,
            clock=clock,
            version="0.1.0",
            started_at=NOW_US - 3 * HOUR,
        )
        state.breaker_views = [Views.breaker(name) for name in sorted(settings.services)]
        return Place(
            deps=deps,
            state=state,
            clock=clock,
            ledger=ledger,
            trouble=trouble,
            app=create_app(deps),
            file=folder / "switchgear.db",
        )

    yield make
    for ledger in opened:
        ledger.close()


@pytest.fixture(scope="session")
def empty(make_place: Callable[..., Place]) -> Place:
    """Configured, and not used yet."""
    place = make_place()
    place.state.limit_views = [Views.limit("openai", "requests_per_minute", 0, 500)]
    place.state.budget_views = [Views.budget("anthropic-month", 0, 0, 50 * NANO)]
    return place


@pytest.fixture(scope="session")
def full(make_place: Callable[..., Place]) -> Place:
    """A day of traffic, with every kind of trouble in it."""
    place = make_place()
    pen = Pen(place.ledger)
    services = (
        ("openai", "gpt-5-mini", 9),
        ("anthropic", "claude-sonnet", 21),
        ("firecrawl", None, 6),
        ("local", "smollm2", 1),
    )
    jobs = (("acme-42", "research"), ("beta-7", "fit"), ("corp-be7", "analysis"), ("acme-42", "cover-letter"))
    for hour in range(24, 0, -1):
        for each in range(1, 5):
            for number, (service, model, cents) in enumerate(services):
                if each > 1 + (hour * 7 + number * 3) % 4:
                    continue
                job, layer = jobs[(hour + each + number) % 4]
                pen.call(
                    NOW_US - hour * HOUR + each * 7 * MINUTE + number * 41 * MICROS,
                    service,
                    model=model,
                    cost=cents * 10_000_000 * (1 + (hour * 5 + each * 3) % 7),
                    attribution=Attribution(job=job, layer=layer),
                    duration_us=(780 + 353 * each + 61 * number) * 1000,
                    usage=Usage(input_tokens=1810 * (1 + each) + 13 * hour, output_tokens=240 + 17 * hour),
                )
    pen.call(NOW_US - 9 * MINUTE, "openai", status="failed", http_status=503, error="HTTP 503: overloaded")
    first = pen.call(NOW_US - 8 * MINUTE, "anthropic", model="claude-sonnet", status="failed", http_status=529, cost=0)
    pen.call(
        NOW_US - 8 * MINUTE + 2 * MICROS,
        "anthropic",
        model="claude-sonnet",
        attempt=2,
        call_id=first,
        waited_us=800_000,
    )
    pen.call(NOW_US - 7 * MINUTE, "local", model="gpt-6-mini-beta", cost=None)
    pen.call(NOW_US - 6 * MINUTE, "openai", estimated=True, cost=12_000_000, ttft_us=310_000)
    pen.call(NOW_US - 5 * MINUTE, "openai", status="cancelled", duration_us=420_000)
    pen.refuse(
        NOW_US - 4 * MINUTE,
        "anthropic",
        "budget",
        "job-default",
        "budget job-default for beta-7: needs $0.03, $0.01 of $1.00 left",
        unit="usd",
        limit=NANO,
        used=960_000_000,
        reserved=30_000_000,
        needed=30_000_000,
    )
    pen.refuse(NOW_US - 3 * MINUTE, "firecrawl", "breaker", "breaker", "firecrawl: breaker open, next probe in 41 s")
    pen.refuse(
        NOW_US - 2 * MINUTE,
        "openai",
        "rate_limit",
        "requests_per_minute",
        "openai: 60 of 60 requests a minute used; retry in 12 s",
        unit="requests",
        limit=60,
        used=60,
        needed=1,
    )
    pen.refuse(
        NOW_US - 90 * MICROS, "anthropic", "skip", "job-default", "budget job-default for beta-7 skips this call"
    )
    pen.call(NOW_US - 20 * MICROS, "openai", status="reserved")
    pen.event(
        BreakerChanged(
            service="firecrawl",
            old="closed",
            new="open",
            reason="3 failures in a row (threshold 3)",
            at=NOW_US - 4 * MINUTE,
            opened_times=1,
            until=NOW_US + 41 * MICROS,
        )
    )
    pen.done()
    place.state.breaker_views = [
        Views.breaker("anthropic"),
        Views.breaker(
            "firecrawl",
            "open",
            since=NOW_US - 4 * MINUTE,
            failures=3,
            failure_threshold=3,
            failed=3,
            calls=9,
            rejected=1,
            next_probe_at=NOW_US + 41 * MICROS,
            reason="3 failures in a row (threshold 3)",
        ),
        Views.breaker("local", "half_open", probes=1),
        Views.breaker("openai"),
    ]
    place.state.limit_views = [
        Views.limit("anthropic", "requests_per_minute", 12, 50),
        Views.limit("openai", "requests_per_day", 812, 10_000, window=24 * HOUR),
        Views.limit("openai", "requests_per_minute", 56, 60, waiting=2),
        Views.limit("openai", "tokens_per_minute", 71_204, 90_000),
    ]
    place.state.budget_views = [
        Views.budget(
            "all-tokens",
            1_402_113,
            8_000,
            2_000_000,
            unit="tokens",
            kind="warn",
            period="day",
            period_end=NOW_US + 10 * HOUR,
        ),
        Views.budget("anthropic-month", 41_500_000_000, 2_120_000_000, 50 * NANO, unpriced=3, refused=12),
        Views.budget(
            "job-default",
            310_000_000,
            0,
            NANO,
            value="acme-42",
            kind="skip",
            period="total",
            period_start=0,
            period_end=None,
        ),
        Views.budget(
            "job-default",
            960_000_000,
            30_000_000,
            NANO,
            value="beta-7",
            kind="skip",
            period="total",
            period_start=0,
            period_end=None,
        ),
    ]
    return place
