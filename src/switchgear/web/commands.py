"""What pages and API may change. A dashboard that only reads has none."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Protocol

from switchgear.errors import ConfigError, LedgerError
from switchgear.events import BudgetChanged
from switchgear.governor.breaker_desk import BreakerOrdered
from switchgear.money import to_nano, to_usd
from switchgear.policies.breaker import BreakerOrder
from switchgear.web.problems import Problem

__all__ = ["ORDERS", "Commands", "change_budget", "limit_of", "order_breaker"]

ORDERS: Final[tuple[BreakerOrder, ...]] = ("open", "close", "reset")


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

    def set_breaker(self, service: str, order: BreakerOrder, *, by: str, note: str = "") -> BreakerOrdered:
        """Force a breaker open, close or reset it, at once and on record."""


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


def order_breaker(commands: Commands | None, service: str, *, order: str, by: str, note: str) -> BreakerOrdered:
    """Have the breaker of *service* do what *order* says; what is wrong with it is a 400, a ledger that fails a 503.

    Raises:
        Problem: nothing was done.
        StateError: the shared state can't be reached.
    """
    if commands is None:
        raise Problem(403, "This dashboard only reads: it runs beside the gateway, not in it. Give the order there.")
    found = next((each for each in ORDERS if each == order), None)
    if found is None:
        raise Problem(400, f"order: {order!r} is none of {', '.join(ORDERS)}.", key="order", valid=list(ORDERS))
    if not note.strip():
        raise Problem(400, "note: say why; it goes into the audit trail. Nothing was done.", key="note")
    try:
        return commands.set_breaker(service, found, by=by, note=note)
    except ConfigError as error:
        raise Problem(404, f"{error}.") from None
    except ValueError as error:
        raise Problem(400, f"by: {error}.", key="by") from None
    except LedgerError as error:
        raise Problem(503, f"The order can't be recorded, so nothing was done: {error}.") from None


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
