"""What types alone can't say: names that must exist, values that must fit together."""

from __future__ import annotations

import re
import ssl
import zoneinfo
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from switchgear import plugins
from switchgear.config.alert_checks import alert_problems
from switchgear.config.applications import application_problems
from switchgear.config.jobs import job_problems
from switchgear.config.kinds import KINDS, kind_problems
from switchgear.config.model import CALENDAR_PERIODS
from switchgear.config.presets import PRESETS
from switchgear.config.problems import Problem, nearest, shown
from switchgear.config.running import runner_problems
from switchgear.config.telemetry import telemetry_problems
from switchgear.config.unit_checks import unit_problems
from switchgear.config.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from switchgear.config.model import BreakerConfig, BudgetConfig, Config, ServiceConfig, StateConfig
    from switchgear.config.problems import KeyPath

__all__ = ["ATTRIBUTES", "RESERVED_NAMES", "TOKEN_KEYS", "problems_in"]

RESERVED_NAMES: Final = frozenset(
    {
        "-",
        "alerts",
        "api",
        "applications",
        "budgets",
        "calls",
        "docs",
        "healthz",
        "login",
        "metrics",
        "openapi.json",
        "partials",
        "profile",
        "readyz",
        "runs",
        "services",
        "static",
        "traces",
        "usage",
    }
)
"""First parts of paths that belong to a page or an API, so that no service may be called so."""

TOKEN_KEYS: Final = ("input", "output", "cache_read", "cache_write", "reasoning", "request")
"""Price keys with a meaning of their own; any other is the name of a unit."""

ATTRIBUTES: Final = ("service", "model", "job", "run", "layer", "key")
"""What a budget may match and be cut by, besides ``tag.<name>``."""

_SERVICE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
_TAG: Final = re.compile(r"tag\.\S+")
_UNIT: Final = re.compile(r"[a-z][a-z0-9_]*")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def problems_in(config: Config) -> Iterator[Problem]:
    """Yield everything in *config* that has the right type and is wrong all the same."""
    yield from _time_zone(config.server.reporting_timezone)
    yield from _hosts(config.server.hosts)
    if config.server.admin == (config.server.host, config.server.port) and config.server.port != 0:
        key = "admin_host" if config.server.admin_port is None else "admin_port"
        yield Problem(("server", key), "is where the gateway listens already")
    if config.server.client_timeout == 0:
        yield Problem(("server", "client_timeout"), "must be longer than 0s")
    yield from _ledger(config.ledger.url)
    yield from _state(config.state)
    yield from runner_problems(config.runner)
    for name, service in config.services.items():
        yield from _service(("services", name), name, service, config.services)
    seen: set[str] = set()
    for at, budget in enumerate(config.budgets):
        path = ("budgets", at)
        if budget.name in seen:
            yield Problem((*path, "name"), f"a second budget of the name {shown(budget.name)}")
        seen.add(budget.name)
        yield from _budget(path, budget, config.services)
    yield from alert_problems(config.alerts)
    yield from telemetry_problems(config.telemetry)
    yield from application_problems(config.applications)
    yield from job_problems(config.jobs, config.services)


def _time_zone(name: str) -> Iterator[Problem]:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = nearest(name, zoneinfo.available_timezones())
        yield Problem(("server", "reporting_timezone"), f"unknown time zone {shown(name)}", near)


def _hosts(hosts: tuple[str, ...]) -> Iterator[Problem]:
    for host in hosts:
        if not _HOST.fullmatch(host):
            text = f'{shown(host)} is not the name of a host, such as "switchgear.example.com"; it has no port and no *'
            yield Problem(("server", "hosts"), text)


def _ledger(url: str) -> Iterator[Problem]:
    if url.partition("://")[0] not in {"sqlite", "postgresql", "postgresql+psycopg"}:
        # As with the state: what stands there may hold a password.
        yield Problem(
            ("ledger", "url"), 'must be such as "sqlite:///FILE" or "postgresql+psycopg://USER@HOST/DATABASE"'
        )


def _state(state: StateConfig) -> Iterator[Problem]:
    if state.url != "memory://":
        try:
            parts = urlsplit(state.url)
            is_shared = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0
            is_shared = is_shared or parts.scheme in plugins.names("switchgear.states")
        except ValueError:
            is_shared = False
        if not is_shared:
            # What stands there may hold a password, so it is not repeated.
            yield Problem(("state", "url"), 'must be "memory://", or an address such as "redis://127.0.0.1:6379/0"')
    if state.timeout == 0:
        yield Problem(("state", "timeout"), "must be longer than 0s")
    if state.lease < 4 * state.timeout:
        yield Problem(("state", "lease"), "must be at least four times as long as state.timeout")


def _service(
    path: KeyPath, name: str, service: ServiceConfig, services: Mapping[str, ServiceConfig]
) -> Iterator[Problem]:
    if name in RESERVED_NAMES:
        yield Problem(path, "this name belongs to a page of the dashboard or to the API; choose another")
    elif not _SERVICE_NAME.fullmatch(name):
        yield Problem(path, "a service's name is made of a-z, 0-9, _ and -, and begins with a letter or digit")
    yield from kind_problems((*path, "kind"), service.kind, KINDS, "switchgear.dialects")
    if service.base_url is not None:
        yield from _address((*path, "base_url"), service.base_url)
    elif name not in PRESETS:
        # A service of kind http may be one that only gov.call and gov.protect use, unless it looks like a slip.
        near = nearest(name, PRESETS)
        if service.kind != "http" or near:
            yield Problem(path, "base_url is missing, and no built-in service has this name", near)
    yield from _trust((*path, "ca_file"), service.ca_file)
    yield from _key(path, service)
    for key in (
        "timeout",
        "connect_timeout",
        "first_token_timeout",
        "stall_timeout",
        "breaker.recovery_timeout",
        "breaker.window",
        "breaker.probe_lease",
        "retry.backoff",
    ):
        yield from _above_zero((*path, *key.split(".")), service)
    yield from _breaker((*path, "breaker"), service.breaker)
    for other in service.fallback:
        yield from _fallback((*path, "fallback"), name, other, services)
    yield from unit_problems(path, service)
    for model, prices in service.prices.items():
        yield from _prices((*path, "prices", model), prices)


def _fallback(path: KeyPath, name: str, other: str, services: Mapping[str, ServiceConfig]) -> Iterator[Problem]:
    if other not in services:
        yield Problem(path, f"unknown service {shown(other)}", nearest(other, services))
    elif other == name:
        yield Problem(path, "a service can't fall back on itself; see retry.attempts")
    elif services[other].kind != services[name].kind:
        kinds = f"{shown(services[other].kind)}, not {shown(services[name].kind)}"
        yield Problem(path, f"{shown(other)} speaks {kinds}, so it can't answer the same request")
    elif services[other].base_url is None:
        yield Problem(path, f"{shown(other)} has no base_url, so no request can be sent to it")


def _breaker(path: KeyPath, breaker: BreakerConfig) -> Iterator[Problem]:
    if breaker.slow_call == 0:
        yield Problem((*path, "slow_call"), "must be longer than 0s")
    if breaker.max_recovery_timeout < breaker.recovery_timeout:
        yield Problem((*path, "max_recovery_timeout"), "must not be shorter than recovery_timeout")


def _key(path: KeyPath, service: ServiceConfig) -> Iterator[Problem]:
    header = service.api_key_header
    if header is not None and not _HEADER.fullmatch(header):
        yield Problem((*path, "api_key_header"), 'must be the name of a header, such as "x-api-key"')
    elif header is not None and service.api_key_env is None and service.api_key_file is None:
        yield Problem((*path, "api_key_header"), "of no effect without api_key_env or api_key_file")
    if service.api_key_env is None:
        return
    if service.api_key_file is not None:
        yield Problem((*path, "api_key_file"), "api_key_env is set too; keep one of the two")
    if not _VARIABLE.fullmatch(service.api_key_env):
        # What stands there may be the key itself, so it is not repeated.
        yield Problem((*path, "api_key_env"), "must be the name of an environment variable, not a key")


def _trust(path: KeyPath, ca_file: str | None) -> Iterator[Problem]:
    if ca_file is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=ca_file)
        except OSError as error:  # ssl.SSLError is one
            why = "has no certificate in PEM" if isinstance(error, ssl.SSLError) else f"can't be read: {error.strerror}"
            yield Problem(path, f"{shown(ca_file)} {why}")


def _above_zero(path: KeyPath, service: ServiceConfig) -> Iterator[Problem]:
    value: object = service
    for key in path[2:]:
        value = getattr(value, str(key))
    if value == 0:
        yield Problem(path, "must be longer than 0s")


def _address(path: KeyPath, url: str) -> Iterator[Problem]:
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        yield Problem(path, 'must be an address such as "https://api.example.com"')
    elif parts.query or parts.fragment:
        yield Problem(path, "must end before any ? or #, since the path of a request is appended")


def _prices(path: KeyPath, prices: dict[str, int]) -> Iterator[Problem]:
    if not prices:
        yield Problem(path, 'names no price, such as input = "0.10"')
    for unit in prices:
        if unit in TOKEN_KEYS:
            continue
        near = nearest(unit.removesuffix("_tokens"), TOKEN_KEYS, cutoff=0.8)
        if near is not None:
            yield Problem((*path, unit), "unknown price key", near)
        elif not _UNIT.fullmatch(unit):
            yield Problem((*path, unit), "the name of a unit is made of a-z, 0-9 and _, and begins with a letter")


def _budget(path: KeyPath, budget: BudgetConfig, services: Iterable[str]) -> Iterator[Problem]:
    if not budget.name.isprintable():
        yield Problem((*path, "name"), "must be one line of text")
    if budget.name.startswith("key:"):
        yield Problem((*path, "name"), "key:NAME is what the budget of a Switchgear key is called")
    yield from _budget_limit(path, budget)
    if budget.period not in CALENDAR_PERIODS and parse_duration(budget.period) == 0:
        yield Problem((*path, "period"), "must be longer than 0s")
    if budget.shadow and budget.action == "warn":
        yield Problem((*path, "shadow"), 'a budget with action "warn" turns no call away, so it has nothing to shadow')
    yield from _degrade(path, budget)
    for attribute in budget.match:
        yield from _attribute((*path, "match", attribute), attribute)
    if budget.each is not None:
        yield from _attribute((*path, "each"), budget.each)
    service = budget.match.get("service")
    if service is not None and service not in services:
        near = nearest(service, services)
        yield Problem((*path, "match", "service"), f"unknown service {shown(service)}", near)


def _budget_limit(path: KeyPath, budget: BudgetConfig) -> Iterator[Problem]:
    if budget.limit_usd is None and budget.limit_tokens is None:
        yield Problem(path, "a limit is missing: limit_usd or limit_tokens")
    elif budget.limit_usd is not None and budget.limit_tokens is not None:
        yield Problem((*path, "limit_tokens"), "limit_usd is set too; keep one of the two, or make two budgets")
    if budget.limit_usd == 0:
        yield Problem((*path, "limit_usd"), "must be greater than 0")


def _degrade(path: KeyPath, budget: BudgetConfig) -> Iterator[Problem]:
    if budget.action != "degrade":
        if budget.degrade_to is not None:
            yield Problem((*path, "degrade_to"), f'of no effect with the action {shown(budget.action)}; use "degrade"')
        return
    if budget.degrade_to is None:
        yield Problem((*path, "action"), 'degrade_to is missing: the cheaper model, such as "gpt-5-mini"')
    elif budget.degrade_to == budget.match.get("model"):
        yield Problem((*path, "degrade_to"), "is the model that the budget is for; name a cheaper one")
    elif budget.limit_tokens is not None and "model" not in budget.match:
        why = "another model takes as many tokens, so a call would still not fit; match a model, or use limit_usd"
        yield Problem((*path, "degrade_to"), why)


def _attribute(path: KeyPath, name: str) -> Iterator[Problem]:
    if name not in ATTRIBUTES and not _TAG.fullmatch(name):
        known = (*ATTRIBUTES, "tag.<name>")
        yield Problem(path, f"unknown attribute {shown(name)}; known are {', '.join(known)}", nearest(name, ATTRIBUTES))
