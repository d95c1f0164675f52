from __future__ import annotations

import pytest

from switchgear.durations import format_duration, parse_duration, spoken


@pytest.mark.parametrize(
    ("text", "micros"), [("250ms", 250_000), ("30s", 30_000_000), ("2m", 120_000_000), ("1h", 3_600_000_000)]
)
def test_durations_read_as_they_are_written(text: str, micros: int) -> None:
    """Each unit is read, and written back in the largest that divides it."""
    assert parse_duration(text) == micros
    assert format_duration(micros) == text


@pytest.mark.parametrize("value", ["30", "s", "-1s", "1 s", 30, None, True])
def test_what_has_no_unit_is_no_duration(value: object) -> None:
    """A number alone could mean anything."""
    with pytest.raises(ValueError, match="a duration needs a unit"):
        parse_duration(value)


@pytest.mark.parametrize(("seconds", "words"), [(0.5, "0.5 s"), (90, "90.0 s"), (120, "2.0 min"), (7200, "2.0 h")])
def test_durations_are_spoken_in_a_fitting_unit(seconds: float, words: str) -> None:
    """A sentence says seconds, minutes or hours."""
    assert spoken(seconds) == words
