"""Where read commands get the live numbers from: the running server or, without one, ledger and configuration."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from switchgear.cli.errors import UnreachableError
from switchgear.cli.fetch import fetch, send
from switchgear.cli.output import say
from switchgear.cli.settings import address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.cli.settings import Settings
    from switchgear.insight.snapshot import MetricsCollector
    from switchgear.ledger import Ledger
    from switchgear.ledger.reader import LedgerReader
    from switchgear.state.memory import MemoryState

__all__ = ["budgets", "explanation", "forecasts", "limits", "open_ledger", "server_url", "services"]


def server_url(settings: Settings, given: str | None) -> str:
    """Return the address of the server: the one *given*, that of SWITCHGEAR_URL, or what the configuration says."""
    return given or os.environ.get("SWITCHGEAR_URL") or address(settings.config)


@contextmanager
def open_ledger(settings: Settings) -> Iterator[Ledger]:
    """Yield the configured ledger, opened for reading beside whatever process writes to it.

    Raises:
        LedgerError: it can't be read, or does not exist yet.
    """
    from switchgear.clock import SystemClock
    from switchgear.ledger import Ledger

    with Ledger.open(settings.config.ledger.url, clock=SystemClock(), writable=False) as ledger:
        yield ledger


def services(settings: Settings, url: str | None) -> list[dict[str, Any]]:
    """Return the items of ``/api/services``.

    Raises:
        UnreachableError: the server that was asked for does not answer.
        LedgerError: there is no server, and the ledger can't be read.
    """
    found = _asked(settings, url, "/api/services")
    if found is None:
        from switchgear.insight.metrics import plain
        from switchgear.insight.service_item import ServiceList

        with _rebuilt(settings) as (collector, _, _):
            found = plain(ServiceList.of(settings.config, collector))
    return list(found["items"])


def budgets(settings: Settings, url: str | None) -> list[dict[str, Any]]:
    """Return the items of ``/api/budgets``; raises as *services*."""
    found = _asked(settings, url, "/api/budgets")
    if found is None:
        with _rebuilt(settings) as (collector, _, _):
            found = {"items": [budget.to_dict() for budget in collector.budgets()]}
    return list(found["items"])


def limits(settings: Settings, url: str | None) -> list[dict[str, Any]]:
    """Return the items of ``/api/limits``; raises as *services*."""
    found = _asked(settings, url, "/api/limits")
    if found is None:
        with _rebuilt(settings) as (collector, _, _):
            found = {"items": [limit.to_dict() for limit in collector.limits()]}
    return list(found["items"])


def explanation(settings: Settings, url: str | None, call: dict[str, Any]) -> dict[str, Any]:
    """Return what ``/api/admission/explain`` answers to *call*; raises as *services*.

    Raises:
        QuestionError, ConfigError: *call* has something wrong.
    """
    found = _asked(settings, url, "/api/admission/explain", call)
    if found is not None:
        return found
    from switchgear.clock import SystemClock
    from switchgear.governor.explaining import Explainer
    from switchgear.governor.opening import price_book
    from switchgear.governor.planning import Planner
    from switchgear.governor.question import read_question
    from switchgear.governor.rules import budget_rules
    from switchgear.insight.explained import ExplainedItem
    from switchgear.insight.metrics import plain

    clock, config = SystemClock(), settings.config
    book = price_book(config)
    question = read_question(call, config, book, clock.moment().wall)
    planner = Planner(config=config, book=book, budgets=budget_rules(config))
    with _rebuilt(settings) as (_, _, state):
        explainer = Explainer(planner, state, clock)
        one = explainer.explain(question.call, max_wait_us=question.max_wait_us, cheaper=question.cheaper)
    item = ExplainedItem.of(one.call, one.told, cost=one.cost, price_version=one.price_version, refusal=one.refusal)
    say(f"From the ledger, as of {item.at:%Y-%m-%d %H:%M:%S} UTC.")
    return dict(plain(item))


def forecasts(settings: Settings, url: str | None, budget: str) -> list[dict[str, Any]]:
    """Return the items of ``/api/forecast`` for *budget*, all pages; raises as *services*."""
    from urllib.parse import urlencode

    where = {"budget": budget, "limit": "10"}
    found = _asked(settings, url, f"/api/forecast?{urlencode(where)}")
    if found is not None:
        items = list(found["items"])
        while found["next"] is not None:
            page = urlencode({**where, "after": found["next"]})
            found = fetch(server_url(settings, url), f"/api/forecast?{page}")
            items += found["items"]
        return items
    from zoneinfo import ZoneInfo

    from switchgear.clock import SystemClock
    from switchgear.insight.forecast_budgets import forecasts as made
    from switchgear.insight.metrics import plain

    zone = ZoneInfo(settings.config.server.reporting_timezone)
    with _rebuilt(settings) as (collector, reader, _):
        budgets = [one for one in collector.budgets() if one.name == budget]
        return [plain(one) for one in made(reader.usage, budgets, now=SystemClock().moment().wall, zone=zone)]


def _asked(settings: Settings, url: str | None, path: str, body: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """Return what the server says, or None where there is none and nobody asked for one in particular."""
    try:
        address = server_url(settings, url)
        return fetch(address, path) if body is None else send(address, path, body)
    except UnreachableError as error:
        if url or os.environ.get("SWITCHGEAR_URL"):
            raise
        say(f"{error}; these are the figures of the ledger.")
        return None


@contextmanager
def _rebuilt(settings: Settings) -> Iterator[tuple[MetricsCollector, LedgerReader, MemoryState]]:
    """Yield the numbers that a server would start with now, the ledger's reader, and the state that has them."""
    from switchgear.clock import SystemClock
    from switchgear.governor.opening import state_of
    from switchgear.insight.snapshot import MetricsCollector
    from switchgear.ledger import Ledger
    from switchgear.ledger.home import home_of

    clock = SystemClock()
    if home_of(settings.config.ledger.url).exists():
        url = settings.config.ledger.url
    else:
        say("There is no ledger yet: nothing has been recorded.")
        url = "sqlite://"
    with Ledger.open(url, clock=clock, writable=url == "sqlite://") as ledger:
        state = state_of(settings.config, ledger, clock)
        yield MetricsCollector(ledger.reader, state, clock, config=settings.config), ledger.reader, state
