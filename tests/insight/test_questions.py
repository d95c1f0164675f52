from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from switchgear.insight.days import from_micros
from switchgear.insight.periods import read_period
from switchgear.insight.questions import (
    GROUPS,
    BadQuestion,
    Span,
    day_of,
    month_of,
    read_bucket,
    read_groups,
    read_span,
    read_zone,
)

VIENNA = ZoneInfo("Europe/Vienna")


def told(span: Span) -> tuple[str | None, str | None]:
    """Return both ends as RFC 3339 in UTC."""
    since, until = (None if at is None else f"{from_micros(at):%Y-%m-%dT%H:%MZ}" for at in span)
    return since, until


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("2026-11-24", "2026-11-24", ("2026-11-23T23:00Z", "2026-11-24T23:00Z")),
        ("2026-10-25", "2026-10-25", ("2026-10-24T22:00Z", "2026-10-25T23:00Z")),
        ("2026-11", "2026-12", ("2026-10-31T23:00Z", "2026-12-31T23:00Z")),
        ("2026-11-24T10:07:00Z", "2026-11-24T11:14:00+01:00", ("2026-11-24T10:00Z", "2026-11-24T10:15Z")),
        ("2026-11-24T10:15:00 01:00", None, ("2026-11-24T09:15Z", None)),
        (None, "2026-11-24T10:00", (None, "2026-11-24T09:00Z")),
    ],
)
def test_dates_are_whole_and_instants_go_to_the_quarter(
    since: str | None, until: str | None, expected: tuple[str | None, str | None]
) -> None:
    """Days and months are inclusive in the zone; instants are taken to the quarters that roll-ups are kept in."""
    assert told(read_span(since, until, VIENNA)) == expected


@pytest.mark.parametrize(
    ("since", "until", "key"),
    [
        ("yesterday", None, "from"),
        (None, "2026-13", "to"),
        ("2026-02-30", None, "from"),
        ("2026-11-", None, "from"),
        ("24.11.2026", None, "from"),
        ("9999-12", None, "from"),
        ("2026-11-24", "2026-11-23", "to"),
        ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00Z", "to"),
    ],
)
def test_a_bad_date_names_the_key_and_examples(since: str | None, until: str | None, key: str) -> None:
    """No date, or a range that runs backwards, is refused with the key that is wrong."""
    with pytest.raises(BadQuestion) as error:
        read_span(since, until, VIENNA)

    assert error.value.key == key
    assert error.value.valid or "not after" in error.value.detail


def test_groups_are_known_names_once_each() -> None:
    """Any of the list, and tags; otherwise the error lists them all."""
    assert read_groups("model, layer,tag.team") == ("model", "layer", "tag.team")
    assert read_groups("none") == ()
    for bad in ("modle", "tag.", "model,model"):
        with pytest.raises(BadQuestion) as error:
            read_groups(bad)
        assert set(GROUPS) < set(error.value.valid)


def test_zones_and_buckets_are_known_names() -> None:
    """An unknown one is refused with valid ones."""
    assert read_zone("Asia/Kathmandu").key == "Asia/Kathmandu"
    assert read_bucket("15min") == "15min"
    for name in ("Vienna", "", "../etc/passwd", "/etc"):
        with pytest.raises(BadQuestion, match="is no time zone"):
            read_zone(name)
    with pytest.raises(BadQuestion, match="15min, hour, day, week, month, none"):
        read_bucket("fortnight")


@pytest.mark.parametrize("text", ["2026", "11-2026", "", "2026-11-24x", "2026-11-31"])
def test_what_is_no_month_and_no_day_is_refused(text: str) -> None:
    """Months and days are written as ISO 8601 has it, and exist."""
    for read in (month_of, day_of):
        with pytest.raises(BadQuestion):
            read(text, VIENNA)


def test_a_report_is_about_one_time() -> None:
    """A month, a day or a range; the running month in the zone where nothing is said."""
    nothing = {"month": None, "day": None, "since": None, "until": None}
    now = int(dt.datetime(2026, 10, 31, 23, 30, tzinfo=dt.UTC).timestamp()) * 1_000_000

    def asked(**given: str) -> tuple[str, tuple[str | None, str | None]]:
        name, span = read_period(**{**nothing, **given}, zone=VIENNA, now=now)
        return name, told(span)

    assert asked() == ("2026-11", ("2026-10-31T23:00Z", "2026-11-30T23:00Z"))
    assert asked(day="2026-10-25") == ("2026-10-25", ("2026-10-24T22:00Z", "2026-10-25T23:00Z"))
    assert asked(since="2026-10-30", until="2026-10-31")[0] == "2026-10-30 to 2026-10-31"
    assert asked(since="2026-10-30")[1] == ("2026-10-29T23:00Z", "2026-10-31T23:45Z")


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"month": "2026-11", "day": "2026-11-24"}, "day"),
        ({"month": "2026-11", "since": "2026-11-24"}, "from"),
        ({"until": "2026-11-24"}, "from"),
        ({"since": "2027-01-01"}, "from"),
        ({"month": "2026-11-24"}, "month"),
    ],
)
def test_a_report_about_two_times_is_refused(given: dict[str, str], key: str) -> None:
    """What contradicts, or has no beginning, is refused with the key that is too much."""
    nothing = {"month": None, "day": None, "since": None, "until": None}

    with pytest.raises(BadQuestion) as error:
        read_period(**{**nothing, **given}, zone=VIENNA, now=1_790_000_000_000_000)

    assert error.value.key == key
