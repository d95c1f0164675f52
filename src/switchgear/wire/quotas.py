"""What a provider's headers say of its own limits: how much is left, and when it is whole again."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from switchgear.calls import Quota

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from switchgear.calls import Unit

__all__ = ["quotas_in", "quotas_of"]

_PREFIXES: Final = ("x-ratelimit-", "anthropic-ratelimit-")
_DIGITS: Final = 15
_UNITS: Final[tuple[Unit, ...]] = ("requests", "tokens")
_OPENAI: Final[Mapping[Unit, tuple[str, str, str]]] = {
    "requests": ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", "x-ratelimit-limit-requests"),
    "tokens": ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "x-ratelimit-limit-tokens"),
}
_STEP: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ns|us|µs|ms|d|h|m|s)")
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def quotas_of(headers: Iterable[tuple[str, str]], now_epoch: float) -> tuple[Quota, ...]:
    """Return what *headers* say of limits on requests and on tokens; of garbage, nothing.

    Reads OpenAI's ``x-ratelimit-remaining-requests`` and ``-reset-requests`` (a duration such as
    ``6m0s`` or ``20ms``), Anthropic's ``anthropic-ratelimit-requests-remaining`` and ``-reset``
    (RFC 3339), and the same for tokens. Of Anthropic's separate limits on input and output tokens
    the one with less left counts, where there is none on both together.
    """
    return quotas_in({low: value for name, value in headers if (low := name.lower()).startswith(_PREFIXES)}, now_epoch)


def quotas_in(found: Mapping[str, str], now_epoch: float) -> tuple[Quota, ...]:
    """Return what headers say of limits, by their names in lower case; see *quotas_of*."""
    quotas: list[Quota] = []
    for unit in _UNITS:
        quota = _openai(found, unit) or _anthropic(found, unit, now_epoch)
        if quota is not None:
            quotas.append(quota)
    return tuple(quotas)


def _openai(found: Mapping[str, str], unit: Unit) -> Quota | None:
    remaining, reset, limit = _OPENAI[unit]
    if remaining not in found:
        return None
    return _quota(unit, found[remaining], found.get(reset), found.get(limit), _duration)


def _anthropic(found: Mapping[str, str], unit: Unit, now_epoch: float) -> Quota | None:
    def read(name: str) -> Quota | None:
        head = f"anthropic-ratelimit-{name}"
        if f"{head}-remaining" not in found:
            return None
        return _quota(
            unit,
            found.get(f"{head}-remaining"),
            found.get(f"{head}-reset"),
            found.get(f"{head}-limit"),
            lambda text: _until(text, now_epoch),
        )

    whole = read(unit)
    if whole is not None or unit == "requests":
        return whole
    parts = [part for part in (read("input-tokens"), read("output-tokens")) if part is not None]
    return min(parts, key=lambda part: part.remaining, default=None)


def _quota(
    unit: Unit, remaining: str | None, reset: str | None, limit: str | None, seconds_of: Callable[[str], float | None]
) -> Quota | None:
    left, whole = _count(remaining), _count(limit)
    resets_in = None if reset is None else seconds_of(reset)
    if left is None or resets_in is None:
        return None
    return Quota(unit=unit, remaining=left, resets_in=resets_in, limit=whole)


def _count(text: str | None) -> int | None:
    if text is None or not (text := text.strip()).isdecimal() or not text.isascii() or len(text) > _DIGITS:
        return None
    return int(text)


@functools.lru_cache(maxsize=1024)  # the same few, again and again
def _duration(text: str) -> float | None:
    text = text.strip()
    steps = _STEP.findall(text)
    if not steps or "".join(number + unit for number, unit in steps) != text:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in steps)


def _until(text: str, now_epoch: float) -> float | None:
    try:
        instant = datetime.fromisoformat(text.strip())
        instant = instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
        return max(0.0, instant.timestamp() - now_epoch)
    except (ValueError, OverflowError):
        return None
