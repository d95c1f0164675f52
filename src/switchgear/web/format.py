"""Numbers and times for people; each is a filter of the templates."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from switchgear.clock import MICROS
from switchgear.insight.days import from_micros
from switchgear.money import format_usd, to_nano

__all__ = [
    "NOT_APPLICABLE",
    "Times",
    "counted",
    "duration",
    "micros_as_ms",
    "milliseconds",
    "nano",
    "per_cent",
    "share",
    "tokens",
    "usd",
]

NOT_APPLICABLE: Final = "-"
_NBSP: Final = "\N{NO-BREAK SPACE}"


def usd(amount: Decimal | None) -> str:
    """Return an amount of USD: cents from one cent up, two significant digits below; ``-`` for None."""
    return NOT_APPLICABLE if amount is None else format_usd(to_nano(amount))


def nano(amount: int | None) -> str:
    """Return an amount of nano-USD likewise."""
    return format_usd(amount)


def tokens(count: int | None) -> str:
    """Return a count in at most four characters: ``999``, ``7.1k``, ``71k``, ``1.2M``."""
    if count is None:
        return NOT_APPLICABLE
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        # From 999.5k on, thousands would be rounded to "1000k".
        if count >= size or count * 2 >= size * 2 - size // 1000:
            scaled = Decimal(count) / size
            return f"{scaled:.1f}{unit}" if scaled < Decimal("9.95") else f"{scaled:.0f}{unit}"
    return f"{count:,}"


def counted(number: int, thing: str) -> str:
    """Return a number of things: ``1 call``, ``1,204 calls``."""
    return f"{number:,}{_NBSP}{thing}" + ("" if number == 1 else "s")


def per_cent(value: float | None) -> str:
    """Return a percentage, rounded down, so that 100 means all; a tenth below 10."""
    if value is None:
        return NOT_APPLICABLE
    small = 0 < value < 10  # noqa: PLR2004 - of a hundred
    return f"{int(value * 10) / 10:.1f}{_NBSP}%" if small else f"{int(value):,}{_NBSP}%"


def share(value: float | None) -> str:
    """Return a share of 1 as a percentage with its tenth; ``-`` for None."""
    return NOT_APPLICABLE if value is None else f"{value * 100:.1f}{_NBSP}%".replace(".0", "")


def milliseconds(value: float | None) -> str:
    """Return a span of milliseconds: ``0 ms``, ``820 ms``, ``2.1 s``, ``41 s``, ``4 min``."""
    if value is None:
        return NOT_APPLICABLE
    if value < 1:
        return f"0{_NBSP}ms" if value == 0 else f"<1{_NBSP}ms"
    if value < 999.5:  # noqa: PLR2004 - rounded to 1000 ms above
        return f"{value:.0f}{_NBSP}ms"
    if value < 9_950:  # noqa: PLR2004 - rounded to 10 s above
        return f"{value / 1000:.1f}{_NBSP}s"
    return duration(value / 1000)


def duration(seconds: float) -> str:
    """Return a span in its two largest units: ``41 s``, ``4 min``, ``6 h 12 min``, ``3 d 2 h``."""
    total = max(0, round(seconds))
    if total < 60:  # noqa: PLR2004 - seconds in a minute
        return f"{total}{_NBSP}s"
    minutes = total // 60
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}{_NBSP}d" + (f" {hours}{_NBSP}h" if hours else "")
    if hours:
        return f"{hours}{_NBSP}h" + (f" {minutes}{_NBSP}min" if minutes else "")
    return f"{minutes}{_NBSP}min"


class Times:
    """Writes instants in the reporting time zone, as of *now* (epoch microseconds)."""

    def __init__(self, zone: ZoneInfo, now: int) -> None:
        self._zone = zone
        self.now = from_micros(now)

    @property
    def footer(self) -> str:
        """In which zone all times are, and what time it is there."""
        local = self.now.astimezone(self._zone)
        minutes = (local.utcoffset() or dt.timedelta()) // dt.timedelta(minutes=1)
        hours, rest = divmod(abs(minutes), 60)
        offset = f"{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02d}" if rest else "")
        zone = self._zone.key if self._zone.key == "UTC" else f"{self._zone.key} (UTC{offset})"
        return f"All times {zone}, now {local:%H:%M}"

    def clock(self, instant: dt.datetime | int) -> Markup:
        """Return ``13:58:07``, with the day before it when that is not today."""
        local = self._local(instant)
        text = f"{local:%H:%M:%S}" if self._today(local) else f"{local.day} {local:%b %H:%M}"
        return self._tag(local, text)

    def full(self, instant: dt.datetime | int) -> Markup:
        """Return the day, the time to the millisecond, and the zone."""
        local = self._local(instant)
        text = f"{local.day} {local:%b %Y, %H:%M:%S}.{local.microsecond // 1000:03d} {local:%Z}"
        return self._tag(local, text)

    def ago(self, instant: dt.datetime | int) -> Markup:
        """Return how long ago, with the absolute time as its title."""
        local = self._local(instant)
        return self._tag(local, f"{duration((self.now - local).total_seconds())} ago")

    def until(self, instant: dt.datetime | int) -> Markup:
        """Return how long until, with the absolute time as its title; ``now`` when it has come."""
        local = self._local(instant)
        left = (local - self.now).total_seconds()
        return self._tag(local, f"in {duration(left)}" if left > 0 else "now")

    def day_clock(self, instant: dt.datetime | int) -> Markup:
        """Return ``27 Nov, 16:40``."""
        local = self._local(instant)
        return self._tag(local, f"{local.day} {local:%b, %H:%M}")

    def day(self, instant: dt.datetime | int) -> Markup:
        """Return ``27 Nov 2026``; of another time than midnight, which is what a date alone is kept as, ``16:40``."""
        local = self._local(instant)
        text = f"{local.day} {local:%b %Y}"
        return self._tag(local, text if local.time() == dt.time() else f"{text}, {local:%H:%M}")

    def hour(self, instant: dt.datetime | int) -> str:
        """Return ``13:00``."""
        return f"{self._local(instant):%H:%M}"

    def tick(self, instant: dt.datetime, bucket: str) -> str:
        """Return what stands under a column: ``13:00``, ``24 Nov``, ``Nov 2026``."""
        local = self._local(instant)
        if bucket in {"15min", "hour"}:
            return f"{local:%H:%M}" if self._today(local) else f"{local.day} {local:%b %H:%M}"
        return f"{local:%b %Y}" if bucket == "month" else f"{local.day} {local:%b}"

    def date(self, instant: dt.datetime | int) -> str:
        """Return the day as ``2026-11-24``, as addresses have it."""
        return f"{self._local(instant):%Y-%m-%d}"

    def reset(self, instant: dt.datetime) -> Markup:
        """Return when a period ends: ``in 6 h 12 min (1 Dec 00:00)``."""
        local = self._local(instant)
        left = max(0.0, (local - self.now).total_seconds())
        return self._tag(local, f"in {duration(left)} ({local.day} {local:%b %H:%M})")

    def _local(self, instant: dt.datetime | int) -> dt.datetime:
        utc = from_micros(instant) if isinstance(instant, int) else instant
        return utc.astimezone(self._zone)

    def _today(self, local: dt.datetime) -> bool:
        return local.date() == self.now.astimezone(self._zone).date()

    @staticmethod
    def _tag(local: dt.datetime, text: str) -> Markup:
        machine = local.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        title = f"{local.day} {local:%b %Y, %H:%M:%S %Z}"
        return Markup('<time datetime="{}" title="{}">{}</time>').format(machine, title, text)


def micros_as_ms(value: int | None) -> str:
    """Return microseconds as *milliseconds* does."""
    return milliseconds(None if value is None else value / (MICROS / 1000))
