from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.money import format_usd, to_nano, to_usd


@given(st.integers(-(10**20), 10**20))
def test_nano_and_usd_are_the_same_amount(nano: int) -> None:
    """What leaves as Decimal comes back as the same integer, through text too."""
    assert to_nano(to_usd(nano)) == nano
    assert to_nano(str(to_usd(nano))) == nano


@pytest.mark.parametrize("wrong", ["", "x", "NaN", "Infinity", "1e999999999", "0.0000000001", "1" * 60])
def test_what_is_no_whole_number_of_nano_dollars_is_an_error(wrong: str) -> None:
    """Nothing is rounded, overflows or passes as a number that is none."""
    with pytest.raises(ValueError, match="not an amount of USD"):
        to_nano(wrong)


@pytest.mark.parametrize("wrong", [0.1, True, None])
def test_money_is_never_a_float(wrong: object) -> None:
    """A float is an error even where it would be exact."""
    with pytest.raises(TypeError, match="money is a decimal string"):
        to_nano(wrong)  # type: ignore[arg-type]  # the wrong type is the point


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (None, "-"),
        (0, "$0.00"),
        (12_400_000_000, "$12.40"),
        (1_234_567_890_000_000, "$1,234,567.89"),
        (4_200_000, "$0.0042"),
        (4_256_000, "$0.0043"),
        (10_000_000, "$0.01"),
        (3_300, "$0.0000033"),
        (1, "$0.0000000010"),
        (-4_200_000, "-$0.0042"),
        (-12_400_000_000, "-$12.40"),
    ],
)
def test_people_read_cents_and_two_digits_below(nano: int | None, text: str) -> None:
    """Cents from one cent up, two significant digits below, a dash for what is not known."""
    assert format_usd(nano) == text


def test_trailing_zeros_are_left_out() -> None:
    """An amount has one spelling."""
    assert str(to_usd(1_500_000_000)) == "1.5"
    assert str(to_usd(-2_000_000_000)) == "-2"
    assert to_usd(0) == Decimal(0)
