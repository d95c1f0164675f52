"""How often a password may be tried: by one address, and by everybody together. The limiter's own rules count."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import Final

from switchgear.clock import MICROS, Clock
from switchgear.policies.limiter import LimitDenial, Limiter, LimitRule

__all__ = ["BY_ADDRESS", "OVERALL", "Attempts"]

BY_ADDRESS: Final = 10
OVERALL: Final = 100
"""Attempts in any minute."""

_MINUTE: Final = 60 * MICROS
_ADDRESSES: Final = 4096
_NETWORK: Final = 64
"""Bits of an IPv6 address that one subscriber has to choose from nothing of: the rest is one address to us."""


class Attempts:
    """Counts attempts. Not thread-safe: the event loop asks."""

    def __init__(self, clock: Clock) -> None:
        self._clock: Final = clock
        self._overall: Final = _limiter("attempts_overall", OVERALL)
        self._by_address: Final[OrderedDict[str, Limiter]] = OrderedDict()

    def wait(self, address: str) -> float | None:
        """Count an attempt from *address*; return the seconds to wait if it is one too many, which is not counted."""
        now = self._clock.moment()
        place = _network(address)
        limiter = self._by_address.setdefault(place, _limiter("attempts_by_address", BY_ADDRESS))
        self._by_address.move_to_end(place)
        if len(self._by_address) > _ADDRESSES:
            self._by_address.popitem(last=False)
        for each in (self._overall, limiter):
            denial = each.check(0, now)
            if denial is not None:
                return _seconds(denial, now.mono)
        for each in (self._overall, limiter):
            grant = each.ask(0, now, 0)
            assert not isinstance(grant, LimitDenial)  # noqa: S101 - it was asked just before
        return None


def _limiter(name: str, limit: int) -> Limiter:
    return Limiter([LimitRule(name=name, unit="requests", limit=limit, window_us=_MINUTE)])


def _seconds(denial: LimitDenial, now: int) -> float:
    return max(1.0, ((denial.ready_at or now) - now) / MICROS)


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:  # noqa: PLR2004 - of IP
        return address
    return str(ipaddress.ip_network((found, _NETWORK), strict=False))
