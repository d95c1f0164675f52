"""What must hold for rules that count units: names, routes, and a bound for whatever costs money."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from switchgear.config.problems import Problem, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from switchgear.config.model import ServiceConfig
    from switchgear.config.problems import KeyPath
    from switchgear.wire.unit_rules import UnitRule

__all__ = ["unit_problems"]

_UNIT: Final = re.compile(r"[a-z][a-z0-9_]*")
_ROUTE: Final = re.compile(r"(?:\*|[A-Z]+) (?:/\S*|\*)")
_KNOWN_BEFORE: Final = frozenset({"fixed", "request"})
_TOKENS: Final = ("input", "output", "cache_read", "cache_write", "reasoning")


def unit_problems(path: KeyPath, service: ServiceConfig) -> Iterator[Problem]:
    """Yield what is wrong with the units of *service*, which stands at *path*."""
    if service.kind != "http":
        for key in ("units", "units_max", "routes"):
            if getattr(service, key):
                yield Problem((*path, key), f'only a service of kind "http" counts by rule, not {shown(service.kind)}')
        return
    priced = {unit for prices in service.prices.values() for unit in prices}
    yield from _rules(path, service.units, service.units_max, priced)
    for pattern, route in service.routes.items():
        here = (*path, "routes", pattern)
        if not _ROUTE.fullmatch(pattern):
            yield Problem(here, 'a route is a method and a path, such as "POST /v2/crawl" or "GET /v2/crawl/*"')
        yield from _rules(here, route.units, route.units_max, priced)


def _rules(
    path: KeyPath, units: Mapping[str, UnitRule], most: Mapping[str, UnitRule], priced: set[str]
) -> Iterator[Problem]:
    for unit, rule in units.items():
        if unit in _TOKENS or not _UNIT.fullmatch(unit):
            yield Problem(
                (*path, "units", unit), "the name of a unit is made of a-z, 0-9 and _, and is no kind of token"
            )
        if unit in priced and unit not in most and not _is_known_before(rule):
            yield Problem(
                (*path, "units", unit),
                f"it has a price, so a budget must know the most that a call can use: add units_max.{unit}",
            )
    for unit, rule in most.items():
        here = (*path, "units_max", unit)
        if unit not in units:
            yield Problem(here, "there is no rule for this unit", nearest(unit, units))
        elif any(source.kind not in _KNOWN_BEFORE for source in rule):
            yield Problem(
                here, 'must be known before the call: a whole number, or "request:/pointer" and then a number'
            )
        elif rule[-1].kind != "fixed":
            yield Problem(here, "must end with a whole number, for requests that leave it out: a list of both")


def _is_known_before(rule: UnitRule) -> bool:
    return len(rule) == 1 and rule[0].kind == "fixed"
