"""The bundled price list ages."""

from __future__ import annotations

import datetime as dt
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from switchgear.insight.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.clock import Clock

__all__ = ["check_prices"]

_OLD: Final = dt.timedelta(days=180)


def check_prices(clock: Clock) -> Iterator[Finding]:
    """A list has no date of its own; the newest change of a price that it knows tells its age."""
    from genai_prices.data_snapshot import get_snapshot

    today = dt.datetime.fromtimestamp(clock.now(), dt.UTC).date()
    models = [model for provider in get_snapshot().providers for model in provider.models]
    dates = [
        start
        for model in models
        if isinstance(model.prices, list)
        for price in model.prices
        if (start := getattr(price.constraint, "start_date", None)) is not None and start <= today
    ]
    newest = max(dates, default=None)
    text = f"genai-prices {version('genai-prices')}, {len(models):,} models, newest change of a price {newest or '-'}"
    if newest is None or today - newest > _OLD:
        yield Finding("warn", "prices", text, "pip install --upgrade genai-prices")
    else:
        yield Finding("ok", "prices", text)
