"""Money: integer nano-USD inside, ``Decimal`` at the surface, never float.

One USD is 1,000,000,000 nano-USD. List prices go down to fractions of a nano-USD a token
(USD 0.0375 per million tokens), so prices are kept per million units and a cost is rounded
once, at the end.
"""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Final

__all__ = ["NANO_PER_USD", "format_usd", "to_nano", "to_usd", "usd_text"]

NANO_PER_USD: Final = 1_000_000_000

_EXACT: Final = Context(prec=40, traps=[Inexact, InvalidOperation, Overflow])
"""Raises where it would have to round."""


def to_nano(usd: Decimal | int | str) -> int:
    """Return *usd* as nano-USD.

    Raises:
        ValueError: not a finite decimal number, or finer than a nano-USD.
        TypeError: a float or bool; money is never float.
    """
    if isinstance(usd, bool) or not isinstance(usd, Decimal | int | str):
        msg = f"money is a decimal string, Decimal or int, not {type(usd).__name__}"
        raise TypeError(msg)
    try:
        nano = _EXACT.multiply(Decimal(usd), Decimal(NANO_PER_USD))
    except ArithmeticError:
        msg = f"not an amount of USD, or one too large or too fine to count: {usd!r}"
        raise ValueError(msg) from None
    if not nano.is_finite() or nano != nano.to_integral_value():
        msg = f"not an amount of USD in whole nano-dollars: {usd!r}"
        raise ValueError(msg)
    return int(nano)


def to_usd(nano: int) -> Decimal:
    """Return *nano* nano-USD as an exact Decimal of USD, without trailing zeros."""
    return Decimal(usd_text(nano))


def usd_text(nano: int) -> str:
    """Return *nano* nano-USD as exact digits of USD, without trailing zeros: ``0.0125``."""
    whole, rest = divmod(abs(nano), NANO_PER_USD)
    text = f"{whole}.{rest:09d}".rstrip("0").rstrip(".") if rest else str(whole)
    return f"-{text}" if nano < 0 else text


def format_usd(nano: int | None) -> str:
    """Return *nano* for people: cents from one cent up, two significant digits below, ``-`` for None."""
    if nano is None:
        return "-"
    usd = to_usd(nano)
    if usd == 0 or abs(usd) >= Decimal("0.01"):
        return f"${usd:,.2f}" if usd >= 0 else f"-${-usd:,.2f}"
    digits = 1 - usd.adjusted()
    return f"${usd:.{digits}f}" if usd >= 0 else f"-${-usd:.{digits}f}"
