from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.web.format import Times, duration, milliseconds, per_cent, share, tokens, usd

NBSP = "\N{NO-BREAK SPACE}"
NOW = 1_795_525_387_000_000


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"),
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (7_149, "7.1k"),
        (9_949, "9.9k"),
        (9_950, "10k"),
        (71_204, "71k"),
        (999_499, "999k"),
        (999_600, "1.0M"),
        (1_240_000, "1.2M"),
        (3_000_000_000, "3.0G"),
    ],
)
def test_tokens_are_short(count: int | None, text: str) -> None:
    """Three digits and a letter; the exact number is in the title."""
    assert tokens(count) == text


@given(count=st.integers(0, 9 * 10**11))
def test_tokens_are_never_long(count: int) -> None:
    """No number is longer than six characters, and never reads as a thousand of its unit."""
    text = tokens(count)

    assert len(text) <= 6
    assert not text.startswith("1000")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.0, "0 %"), (0.7, "0.7 %"), (9.99, "9.9 %"), (83.9, "83 %"), (99.9, "99 %"), (2500.0, "2,500 %")],
)
def test_percentages_are_rounded_down(value: float | None, text: str) -> None:
    """99.9 % is not all of it."""
    assert per_cent(value) == text.replace(" ", NBSP)


def test_a_share_keeps_its_tenth() -> None:
    """An error rate is small, so its tenth counts."""
    assert [share(value) for value in (None, 0.0, 0.0073, 0.5, 1.0)] == [
        "-",
        f"0{NBSP}%",
        f"0.7{NBSP}%",
        f"50{NBSP}%",
        f"100{NBSP}%",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0, "0 ms"),
        (0.4, "<1 ms"),
        (820, "820 ms"),
        (999.7, "1.0 s"),
        (2100, "2.1 s"),
        (9_960, "10 s"),
        (41_000, "41 s"),
    ],
)
def test_spans_are_in_the_unit_that_people_say(value: float | None, text: str) -> None:
    """Milliseconds below a second, tenths below ten."""
    assert milliseconds(value) == text.replace(" ", NBSP)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (22_320, "6 h 12 min"),
        (7200, "2 h"),
        (266_400, "3 d 2 h"),
    ],
)
def test_durations_have_at_most_two_units(seconds: float, text: str) -> None:
    """6 h 12 min, not 22,320 s."""
    assert duration(seconds).replace(NBSP, " ") == text


def test_money_has_no_float_noise() -> None:
    """Cents, or two digits of what is less."""
    assert [usd(Decimal(text)) for text in ("0", "0.0042", "12.4", "1234.5")] == [
        "$0.00",
        "$0.0042",
        "$12.40",
        "$1,234.50",
    ]
    assert usd(None) == "-"


def test_times_are_local_and_tell_the_machine_utc() -> None:
    """A time element has the instant, the local text and the zone's short name."""
    times = Times(ZoneInfo("Europe/Vienna"), NOW)

    tag = str(times.clock(NOW - 60_000_000))

    assert tag == '<time datetime="2026-11-24T13:02:07.000Z" title="24 Nov 2026, 14:02:07 CET">14:02:07</time>'
    assert ">23 Nov 14:03<" in times.clock(NOW - 86_400_000_000)
    assert times.footer == "All times Europe/Vienna (UTC+1), now 14:03"


@pytest.mark.parametrize(
    ("zone", "footer"),
    [
        ("UTC", "All times UTC, now 13:03"),
        ("Asia/Kathmandu", "All times Asia/Kathmandu (UTC+5:45), now 18:48"),
        ("America/New_York", "All times America/New_York (UTC-5), now 08:03"),
    ],
)
def test_the_footer_names_the_zone(zone: str, footer: str) -> None:
    """Nobody has to guess which midnight a day begins at."""
    assert Times(ZoneInfo(zone), NOW).footer == footer


def test_what_is_to_come_and_what_has_come() -> None:
    """In 41 s, now, 4 min ago."""
    times = Times(ZoneInfo("UTC"), NOW)

    assert f">in 41{NBSP}s<" in times.until(NOW + 41_000_000)
    assert ">now<" in times.until(NOW)
    assert f">4{NBSP}min ago<" in times.ago(NOW - 240_000_000)
    assert "(25 Nov 13:03)" in times.reset(times.now + dt.timedelta(days=1))
