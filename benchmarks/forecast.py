"""How often the truth lies in the 80 % band of a forecast, and how wide the band is.

On generated spending with a weekly pattern, and on two real traces (SWITCHGEAR_TRACES names their
folder): tokens become cost at USD 2.50 and 10.00 a million, and minutes stand for days, since the
traces last an hour.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import json
import math
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from switchgear.insight.forecast import Horizon, Series, forecast

DAY = 24
WEEK = 7 * DAY
TRACES = ("azure_llm_trace_2023_code.csv", "azure_llm_trace_2023_conv.csv")
MINUTES = (1, 2, 3, 5)
"""How long a day of a trace is; the method was tuned while looking at the traces."""

PERIODS = {"day": DAY, "week": WEEK, "month": 30 * DAY}

Made = Callable[[random.Random, int], list[float]]


class Coverage:
    """Counts how often the truth was in the band."""

    def __init__(self) -> None:
        self.asked = self.inside = self.without = 0
        self.width = self.error = self.spent = self.seconds = 0.0
        self.methods: Counter[str] = Counter()

    def ask(self, values: Sequence[float], at: int, period: int, *, holt_winters: bool) -> None:
        """Forecast at step *at* to the end of its period, and compare with what came."""
        start = at - at % period
        steps = start + period - at
        positions = [step % WEEK for step in range(at + steps)]
        horizon = Horizon(steps=steps, left=1.0, window=min(period, WEEK), full_periods=at // period)
        begin = time.perf_counter()
        series = Series(values=values[:at], positions=positions, day=DAY)
        found = forecast(series, horizon, holt_winters=holt_winters)
        self.seconds += time.perf_counter() - begin
        if found is None or found.low is None or found.high is None:
            self.without += 1
            return
        spent = sum(values[start:at])
        real = sum(values[at : at + steps])
        self.asked += 1
        # As shown: whole nano-USD.
        self.inside += round(found.low[-1], 9) <= round(real, 9) <= round(found.high[-1], 9)
        self.width += found.high[-1] - found.low[-1]
        self.error += abs(found.expected[-1] - real)
        self.spent += spent + real
        self.methods[found.method] += 1

    def result(self) -> dict[str, object]:
        """Return the figures; width and error are shares of what was spent in the period."""
        if not self.asked:
            return {"forecasts": 0, "without_a_band": self.without}
        return {
            "forecasts": self.asked,
            "coverage_percent": round(100 * self.inside / self.asked, 1),
            "width_percent": round(100 * self.width / self.spent, 1),
            "error_percent": round(100 * self.error / self.spent, 1),
            "ms_each": round(1000 * self.seconds / (self.asked + self.without), 1),
            "methods": dict(self.methods.most_common()),
        }


def weekly(noise: float, growth: float, drift: float) -> Made:
    """Return a maker of office hours with noise, growth a week, and a level that wanders from day to day."""

    def make(chance: random.Random, steps: int) -> list[float]:
        level, values = 0.0, []
        for step in range(steps):
            day, hour = step // DAY, step % DAY
            if hour == 0:
                level = 0.8 * level + chance.gauss(0, drift)
            shape = 0.15 + math.exp(-(((hour - 14) / 4.5) ** 2))
            shape *= 0.3 if day % 7 >= 5 else 1.0
            values.append(shape * (1 + growth) ** (step / WEEK) * math.exp(level + chance.gauss(0, noise)))
        return values

    return make


def bursty(chance: random.Random, steps: int) -> list[float]:
    """Return few, dear batches: most hours are empty."""
    shape = [0.02 if hour < 7 or hour > 20 else 0.12 for hour in range(DAY)]
    return [
        chance.lognormvariate(0, 1)
        if chance.random() < shape[step % DAY] * (0.4 if step % WEEK >= 5 * DAY else 1)
        else 0
        for step in range(steps)
    ]


PATTERNS: dict[str, Made] = {
    "weekly, calm": weekly(0.2, 0.0, 0.05),
    "weekly, noisy": weekly(0.6, 0.0, 0.15),
    "weekly, growing 5 % a week": weekly(0.3, 0.05, 0.1),
    "bursty": bursty,
}


def generated(make: Made, period: int, *, seeds: range, each: int, holt_winters: bool) -> dict[str, object]:
    """Return the coverage over a series for each of *seeds*, *each* times asked at any time of a later period."""
    found = Coverage()
    history = max(4 * period, 8 * WEEK)
    for seed in seeds:
        chance = random.Random(seed)
        later = max(period, WEEK)
        values = make(chance, history + later + period)
        for _ in range(each):
            found.ask(values, history + chance.randrange(later), period, holt_winters=holt_winters)
    return found.result()


def trace(path: Path, minutes: float) -> Iterator[float]:
    """Yield the cost of each step of *path*, 24 of which make a day of *minutes*."""
    step = minutes * 60 / DAY
    costs: Counter[int] = Counter()
    first: dt.datetime | None = None
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            at = dt.datetime.fromisoformat(row["TIMESTAMP"][:26])
            first = first or at
            cost = int(row["ContextTokens"]) * 2_500 + int(row["GeneratedTokens"]) * 10_000
            costs[int((at - first).total_seconds() / step)] += cost
    for number in range(max(costs)):  # the last step is not whole
        yield float(costs[number])


def traced(path: Path, minutes: float, *, holt_winters: bool) -> dict[str, object]:
    """Return the coverage of daily budgets on *path*, asked at every step from the eighth day on."""
    values = list(trace(path, minutes))
    found = Coverage()
    for at in range(7 * DAY, len(values) // DAY * DAY):
        found.ask(values, at, DAY, holt_winters=holt_winters)
    return found.result()


def main() -> None:
    """Run all and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=60, help="generated series for each pattern and period")
    parser.add_argument(
        "--seed", type=int, default=2000, help="of the first series; 0 to 119 and 1000 to 1119 were looked at"
    )
    parser.add_argument("--holt-winters", action="store_true", help="with Holt-Winters (needs statsmodels); slow")
    parser.add_argument(
        "--traces", type=Path, default=os.environ.get("SWITCHGEAR_TRACES") or None, help="folder of the traces"
    )
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.series)
    result: dict[str, dict[str, object]] = {}
    for name, make in PATTERNS.items():
        for period, steps in PERIODS.items():
            result[f"{name}, {period}"] = generated(make, steps, seeds=seeds, each=5, holt_winters=options.holt_winters)
    if options.traces:
        for file in TRACES:
            for minutes in MINUTES:
                result[f"{file}, {minutes} minutes a day"] = traced(
                    options.traces / file, minutes, holt_winters=options.holt_winters
                )
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
