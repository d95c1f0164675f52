"""The ledger: can it be opened, is it well, does it know calls without a price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.errors import ConfigError, LedgerError
from switchgear.insight.checks.finding import Finding
from switchgear.ledger.views import CallFilter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.clock import Clock
    from switchgear.config.model import Config
    from switchgear.insight.sources import CostLedger

__all__ = ["check_ledger", "check_records"]

_AHEAD_US: Final = 60_000_000
_NAMED: Final = 5


def check_ledger(config: Config, clock: Clock) -> Iterator[Finding]:
    """Open the ledger for reading, beside a server that writes to it, and look."""
    from switchgear.ledger import Ledger
    from switchgear.ledger.home import home_of

    url = config.ledger.url
    try:
        home = home_of(url)
        if home.in_memory:
            yield Finding("warn", "ledger", "in memory: a restart forgets it", 'set ledger.url = "sqlite:///FILE"')
            return
        if not home.exists():
            yield Finding("ok", "ledger", f"{home.name} does not exist yet; the first call makes it")
            return
        with Ledger.open(url, clock=clock, writable=False) as ledger:
            yield from check_records(ledger.reader, home.name, clock)
    except (ConfigError, LedgerError) as error:
        yield Finding("fail", "ledger", str(error))


def check_records(reader: CostLedger, name: str, clock: Clock) -> Iterator[Finding]:
    """Look at what is recorded in an open ledger called *name*."""
    yield _size(reader, name)
    yield from _unpriced(reader)
    yield from _future(reader, clock)


def _size(reader: CostLedger, name: str) -> Finding:
    from switchgear.ledger.migrate import HEAD

    totals = reader.totals()
    calls = totals[0].calls if totals else 0
    return Finding("ok", "ledger", f"{name} ({reader.size_bytes() / 1e6:.1f} MB, schema {HEAD}, {calls:,} calls)")


def _unpriced(reader: CostLedger) -> Iterator[Finding]:
    rows = [row for row in reader.totals(by=("service", "model")) if row.unpriced]
    if rows:
        names = [f"{row.group['model'] or 'no model'} of {row.group['service']}" for row in rows]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        text = f"{sum(row.unpriced for row in rows):,} calls without a price: {', '.join(names[:_NAMED])}{more}"
        yield Finding(
            "warn", "prices", text, 'set services.NAME.prices = { "MODEL" = { input = "...", output = "..." } }'
        )


def _future(reader: CostLedger, clock: Clock) -> Iterator[Finding]:
    newest = reader.calls(CallFilter(), limit=1).items
    if newest and newest[0].started_at > clock.moment().wall + _AHEAD_US:
        text = "the newest call of the ledger is in the future: the clock was set back"
        yield Finding("warn", "clock", text, "check the time of this machine (timedatectl)")
