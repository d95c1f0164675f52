"""What pages and API may change. A dashboard that only reads has none."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from switchgear.errors import ConfigError, LedgerError
from switchgear.events import BudgetChanged
from switchgear.money import to_nano, to_usd
from switchgear.web.problems import Problem

__all__ = ["Commands", "change_budget", "limit_of"]


class Commands(Protocol):
    """The part of the governor that people may use from pages and API."""

    def set_budget(
        self,
        name: str,
        *,
        limit_usd: Decimal | int | str | None = None,
        limit_tokens: int | None = None,
        by: str,
        note: str = "",
    ) -> BudgetChanged:
        """Give a budget another limit, at once and on record."""


def change_budget(commands: Commands | None, name: str, *, unit: str, limit: str, by: str, note: str) -> BudgetChanged:
    """Give budget *name* the limit that *limit* says; what is wrong with it is a 400, a ledger that fails a 503.

    Raises:
        Problem: the change was not made.
    """
    if commands is None:
        raise Problem(403, "This dashboard only reads: it runs beside the gateway, not in it. Change the limit there.")
    given = limit_of(unit, limit)
    try:
        if isinstance(given, Decimal):
            return commands.set_budget(name, limit_usd=given, by=by, note=note)
        return commands.set_budget(name, limit_tokens=given, by=by, note=note)
    except ConfigError as error:
        raise Problem(404, f"{error}.") from None
    except (ValueError, TypeError) as error:
        raise Problem(400, f"limit: {error}.", key="limit") from None
    except LedgerError as error:
        raise Problem(503, f"The change can't be recorded, so it was not made: {error}.") from None


def limit_of(unit: str, text: str) -> Decimal | int:
    """Return *text* as a limit in *unit*: USD, or a whole number of tokens.

    Raises:
        Problem: 400; no number above 0.
    """
    plain = text.removeprefix("$").replace(",", "").replace("_", "").strip()
    value: Decimal | int
    try:
        value = to_usd(to_nano(plain)) if unit == "usd" else int(plain)
    except ValueError:
        value = 0
    if value <= 0:
        example = "50 or 12.50" if unit == "usd" else "2000000"
        raise Problem(400, f"limit: {text!r} is not an amount above 0, such as {example}.", key="limit")
    return value
