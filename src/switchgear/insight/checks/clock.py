"""The clock of the machine."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from switchgear.insight.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.clock import Clock

__all__ = ["check_clock"]

_BUILT: Final = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


def check_clock(clock: Clock) -> Iterator[Finding]:
    """Budgets and reports are cut by the calendar: a wrong clock books money on the wrong day."""
    now = dt.datetime.fromtimestamp(clock.now(), dt.UTC)
    if now < _BUILT:
        text = f"it is {now:%Y-%m-%d} by this machine, before this version was made"
        yield Finding("fail", "clock", text, "set the time of this machine (timedatectl)")
    else:
        yield Finding("ok", "clock", f"{now:%Y-%m-%d %H:%M:%S} UTC")
