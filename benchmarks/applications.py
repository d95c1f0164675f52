"""How long it takes to count 100,000 applications, and whether the counts are right.

Run ``python benchmarks/applications.py [--records 100000] [--json FILE]``. The records are spread over three years,
with every day busy (the longest streak, which needs the second query) and with days off (one query). Each count is
compared with one that was made one by one, by local dates.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from jobsmith.applications.counting import SqlCounting
from jobsmith.applications.periods import frame, to_micros
from jobsmith.applications.place import Place
from jobsmith.applications.schema import APPLICATIONS
from jobsmith.applications.stats import stats_of

if TYPE_CHECKING:
    from jobsmith.applications import ApplicationStats

NOW = dt.datetime(2026, 11, 24, 13, 3, 7, tzinfo=dt.UTC)
ZONES = ("UTC", "Europe/Vienna", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")
ROUNDS = 15
DAY = dt.timedelta(days=1)


def dates_of(count: int, *, days_off: bool) -> list[dt.datetime]:
    """Return *count* dates of three years; *days_off*: none on Sundays (UTC)."""
    chance = random.Random(20261124)
    found: list[dt.datetime] = []
    while len(found) < count:
        date = NOW - dt.timedelta(microseconds=chance.randrange(3 * 365 * 86_400_000_000))
        if not (days_off and date.weekday() == 6):
            found.append(date)
    return found


def fill(place: Place, dates: list[dt.datetime]) -> None:
    """Write one record for each date."""
    rows = [
        {
            "id": f"{number:026}",
            "role": "Engineer",
            "company": f"Company {number % 997}",
            "place": "Vienna",
            "url": f"https://example.com/jobs/{number}",
            "status": "applied",
            "applied_at": to_micros(date),
            "fit": number % 101,
            "cost_nano": 12_300_000,
            "created_at": to_micros(date),
            "updated_at": to_micros(date),
        }
        for number, date in enumerate(dates)
    ]
    with place.writing() as connection:
        connection.execute(APPLICATIONS.insert(), rows)


def check(stats: ApplicationStats, dates: list[dt.datetime], zone: ZoneInfo) -> None:
    """Compare *stats* with what a count of one date after the other says."""
    today = NOW.astimezone(zone).date()
    days = [date.astimezone(zone).date() for date in dates]
    monday = today - DAY * today.weekday()
    assert stats.today == days.count(today)
    assert stats.week == sum(day >= monday for day in days)
    assert stats.month == sum((day.year, day.month) == (today.year, today.month) for day in days)
    assert stats.total == len(dates)
    busy, streak = set(days), 0
    last = today if today in busy else today - DAY
    while last - DAY * streak in busy:
        streak += 1
    assert stats.streak_days == streak


def measure(place: Place, dates: list[dt.datetime]) -> dict[str, float]:
    """Return the milliseconds of one look, over all zones: median and worst, of the clock and of the processor."""
    took: list[float] = []
    cpu: list[float] = []
    at = to_micros(NOW)
    for zone in map(ZoneInfo, ZONES):
        for _ in range(ROUNDS):
            start, busy = time.perf_counter(), time.process_time()
            stats = stats_of(SqlCounting(place), frame(at, zone), now=at, mode="calendar", goals={"day": 3})
            took.append((time.perf_counter() - start) * 1000)
            cpu.append((time.process_time() - busy) * 1000)
        check(stats, dates, zone)
    return {
        "median_ms": round(statistics.median(took), 2),
        "worst_ms": round(max(took), 2),
        "median_cpu_ms": round(statistics.median(cpu), 2),
        "worst_cpu_ms": round(max(cpu), 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    for name, days_off in (("days off", True), ("every day busy", False)):
        dates = dates_of(given.records, days_off=days_off)
        with tempfile.TemporaryDirectory() as folder:
            place = Place(f"sqlite:///{folder}/applications.db")
            fill(place, dates)
            found[name] = measure(place, dates)
            place.close()
        numbers = found[name]
        wall = f"median {numbers['median_ms']:>6} ms, worst {numbers['worst_ms']:>6} ms"
        print(f"{name:<16} {wall}; CPU {numbers['median_cpu_ms']}, {numbers['worst_cpu_ms']} ms; counts agree")
    if given.json:
        given.json.write_text(json.dumps({"records": given.records, **found}, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
