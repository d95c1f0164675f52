from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.calls import Usage
from switchgear.policies.price import Price, Rates, cost_of, worst_case_of

rate = st.integers(0, 10**9)
surcharge = st.integers(-(10**6), 10**9)
count = st.integers(0, 10**7)
UNITS = ("cache_write_1h_tokens", "pages")


@st.composite
def rates(draw: st.DrawFn, above: int = -1) -> Rates:
    """Rates of any size, with a dearer or cheaper special token and a unit."""
    return Rates(
        above=above,
        input=draw(rate),
        cache_read=draw(rate),
        cache_write=draw(rate),
        output=draw(rate),
        reasoning=draw(rate),
        units={UNITS[0]: draw(surcharge), UNITS[1]: draw(rate)},
    )


@st.composite
def prices(draw: st.DrawFn) -> Price:
    """Prices with up to two tiers over any scale."""
    starts = sorted(draw(st.sets(st.integers(0, 10**6), max_size=2)))
    return Price(
        version="test",
        scale=draw(st.sampled_from([1, 3, 3600, 10**6])),
        rates=draw(rates()),
        tiers=tuple(draw(rates(above=start)) for start in starts),
        request=draw(st.sampled_from([0, 10**9])),
    )


@st.composite
def within(draw: st.DrawFn, bound: Usage) -> Usage:
    """A usage that is nowhere above *bound*, with consistent parts."""
    tokens_in = draw(st.integers(0, bound.input_tokens))
    tokens_out = draw(st.integers(0, bound.output_tokens))
    read = draw(st.integers(0, tokens_in))
    return Usage(
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cache_read_tokens=read,
        cache_write_tokens=draw(st.integers(0, tokens_in - read)),
        reasoning_tokens=draw(st.integers(0, tokens_out)),
        units=tuple((unit, draw(st.integers(0, most))) for unit, most in bound.units),
    )


@given(price=prices(), tokens_in=count, tokens_out=count, pages=count, data=st.data())
def test_worst_case_is_never_below_the_cost(
    price: Price, tokens_in: int, tokens_out: int, pages: int, data: st.DataObject
) -> None:
    """Whatever a call uses within its bound, its reservation covers it."""
    units = ((UNITS[0], tokens_in), (UNITS[1], pages), ("request", 1))
    bound = Usage(input_tokens=tokens_in, output_tokens=tokens_out, units=units)
    used = data.draw(within(bound))

    assert cost_of(price, used) <= worst_case_of(price, bound)


@pytest.mark.parametrize(
    ("numerator", "expected"),
    [(5, 0), (15, 2), (25, 2), (35, 4), (4, 0), (6, 1), (16, 2)],
)
def test_cost_is_rounded_half_to_even_once(numerator: int, expected: int) -> None:
    """Half a nano-dollar goes to the even neighbour, so that many calls do not drift."""
    price = Price(version="test", scale=10, rates=Rates(input=1, output=1))
    usage = Usage(input_tokens=numerator - 1, output_tokens=1)

    assert cost_of(price, usage) == expected
    assert cost_of(price, usage) == round(Fraction(numerator, 10))


def test_worst_case_is_rounded_up() -> None:
    """A fraction of a nano-dollar is reserved as a whole one."""
    price = Price(version="test", scale=10, rates=Rates(input=1))

    assert worst_case_of(price, Usage(input_tokens=1)) == 1


def test_each_kind_of_token_has_its_rate() -> None:
    """Cached tokens are part of the input and reasoning is part of the output: none counts twice."""
    price = Price(
        version="test", scale=1, rates=Rates(input=1, cache_read=10, cache_write=100, output=1_000, reasoning=10_000)
    )
    usage = Usage(input_tokens=10, cache_read_tokens=2, cache_write_tokens=3, output_tokens=7, reasoning_tokens=4)

    assert cost_of(price, usage) == 5 * 1 + 2 * 10 + 3 * 100 + 3 * 1_000 + 4 * 10_000


def test_a_long_input_puts_all_tokens_into_its_tier() -> None:
    """Above a threshold the tier's rates hold for every token, at the threshold they do not yet."""
    price = Price(version="test", scale=1, rates=Rates(input=1, output=1), tiers=(Rates(above=100, input=3, output=5),))

    assert cost_of(price, Usage(input_tokens=100, output_tokens=10)) == 110
    assert cost_of(price, Usage(input_tokens=101, output_tokens=10)) == 101 * 3 + 50


def test_worst_case_leaves_out_tiers_that_the_input_cannot_reach() -> None:
    """A short call does not reserve at the rates of long inputs."""
    price = Price(version="test", scale=1, rates=Rates(input=1), tiers=(Rates(above=100, input=3),))

    assert worst_case_of(price, Usage(input_tokens=100)) == 100
    assert worst_case_of(price, Usage(input_tokens=101)) == 303


def test_a_request_counts_once_unless_the_usage_says_otherwise() -> None:
    """A price per request needs no help from the caller, and an answer that was no answer costs none."""
    price = Price(version="test", scale=1, rates=Rates(), request=7)

    assert cost_of(price, Usage()) == 7
    assert cost_of(price, Usage(units=(("request", 3),))) == 21
    assert cost_of(price, Usage(units=(("request", 0),))) == 0


def test_impossible_counts_never_cost_less_than_nothing() -> None:
    """A provider that reports more cached tokens than input tokens can't earn the caller money."""
    price = Price(version="test", scale=1, rates=Rates(input=100, cache_read=1, output=100, reasoning=1))

    assert cost_of(price, Usage(cache_read_tokens=5, reasoning_tokens=5)) == 10


def test_a_unit_that_is_billed_from_a_least_count_on() -> None:
    """Less than ten seconds are billed as ten, none as none; the worst case knows it too."""
    price = Price(version="test", scale=1, rates=Rates(units={"seconds": 3}), least={"seconds": 10})
    usage = Usage(units=(("pages", 1), ("seconds", 4)))

    assert cost_of(price, usage) == 30
    assert worst_case_of(price, usage) == 30
    assert cost_of(price, Usage(units=(("seconds", 0),))) == 0
    assert cost_of(price, Usage(units=(("seconds", 11),))) == 33
