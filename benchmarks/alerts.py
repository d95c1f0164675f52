"""How fast and how quietly the built-in rules find incidents, beside a fixed threshold and LiteLLM's rule.

Traffic is that of a real hour (../shared/data, Azure's LLM trace of 2023, conversations), drawn minute by minute
for five weeks with a day's rise and fall; 1 % of the calls fail. The first four weeks are history, and count for false
alarms; into the fifth go incidents: bursts of errors, a slow onset of errors, a cost that runs away. Everything is
looked at once in 15 minutes, as ``switchgear alerts preview`` does; a running server looks every 15 seconds.
Minutes are drawn without memory of those before: a real service wavers more, so its false alarms are more.
"""

from __future__ import annotations

import csv
import math
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from switchgear.alerts.past import QUARTER_US, Quarter
from switchgear.alerts.preview import preview
from switchgear.alerts.rules import rules_of
from switchgear.config import load_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TRACE = Path(__file__).parents[2] / "shared" / "data" / "azure_llm_trace_2023_conv.csv"
DAY = 96
WEEK = 7 * DAY
START = 20_000 * DAY * QUARTER_US
INPUT, OUTPUT = 2_500, 10_000  # nano-USD a token: 2.50 and 10 USD a million


class Incident(NamedTuple):
    """What goes wrong from quarter *at* for *length* quarters: *rate* is the share that fails at its end."""

    name: str
    at: int
    length: int
    rate: float = 0.01
    slow: bool = False
    cost: float = 1.0


INCIDENTS = (
    Incident("burst, 50 % fail", 4 * WEEK + 40, 2, rate=0.5),
    Incident("burst, 20 % fail", 4 * WEEK + 150, 4, rate=0.2),
    Incident("slow onset, 0 to 30 % in 3 h", 4 * WEEK + 240, 12, rate=0.3, slow=True),
    Incident("cost x 10", 4 * WEEK + 350, 4, cost=10),
    Incident("cost x 4", 4 * WEEK + 450, 8, cost=4),
    Incident("cost x 10 at night", 4 * WEEK + 5 * DAY + 12, 4, cost=10),
)


def minutes() -> list[list[int]]:
    """Return the cost of each call of the trace, minute by minute."""
    found: dict[str, list[int]] = {}
    with TRACE.open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            cost = int(row["ContextTokens"]) * INPUT + int(row["GeneratedTokens"]) * OUTPUT
            found.setdefault(row["TIMESTAMP"][:16], []).append(cost)
    return list(found.values())


def quarters(seed: int) -> Iterator[Quarter]:
    """Yield five weeks."""
    rng, hour = random.Random(seed), minutes()
    for at in range(5 * WEEK):
        load = 0.05 + 0.95 * max(0.0, math.sin(math.pi * ((at % DAY) / DAY - 0.2) / 0.65)) ** 2
        load *= 0.3 if at // DAY % 7 > 4 else 1.0
        costs = [cost for _ in range(15) for cost in rng.choice(hour) if rng.random() < load]
        one = next((each for each in INCIDENTS if each.at <= at < each.at + each.length), None)
        rate = 0.01 if one is None else one.rate * ((at - one.at + 1) / one.length if one.slow else 1)
        failed = sum(rng.random() < rate for _ in costs)
        yield Quarter(START + at * QUARTER_US, len(costs), failed, round(sum(costs) * (1 if one is None else one.cost)))


def ours(past: Sequence[Quarter]) -> list[int]:
    """Return the quarters in which a built-in rule fires."""
    rules = rules_of(load_text("").alerts)
    fired = preview(rules, {"service": past}, since=START + WEEK * QUARTER_US, until=START + 5 * WEEK * QUARTER_US)
    return [(one.at - START) // QUARTER_US - 1 for one in fired]


def fixed(past: Sequence[Quarter]) -> list[int]:
    """Return where fixed thresholds begin to be passed: 10 % errors, or three times the mean cost of a quarter."""
    mean = sum(each.cost for each in past[:WEEK]) / WEEK
    failing = [each.answered > 9 and each.failed > each.answered / 10 for each in past]
    dear = [each.cost > 3 * mean for each in past]
    return [at for at in range(WEEK, len(past)) for bad in (failing, dear) if bad[at] and not bad[at - 1]]


def litellm(past: Sequence[Quarter]) -> list[int]:
    """Return where the spend of a day passes three times the mean of the seven days before."""
    found = []
    for day in range(7, len(past) // DAY):
        limit = 3 * sum(each.cost for each in past[(day - 7) * DAY : day * DAY]) / 7
        spent = 0
        for at in range(day * DAY, (day + 1) * DAY):
            spent += past[at].cost
            if spent > limit:
                found.append(at)
                break
    return found


def main() -> int:
    """Print delays in windows of 15 minutes, misses, and false alarms a week, over five draws."""
    if not TRACE.exists():
        print(f"no trace at {TRACE.name}")
        return 0
    draws = [list(quarters(seed)) for seed in range(5)]
    for name, rule in (("switchgear", ours), ("fixed threshold", fixed), ("LiteLLM's rule", litellm)):
        delays: dict[str, list[int | None]] = {one.name: [] for one in INCIDENTS}
        false = 0
        for past in draws:
            fired = rule(past)
            explained: set[int] = set()
            for one in INCIDENTS:
                own = [at for at in fired if one.at <= at < one.at + one.length]
                explained |= {at for at in fired if one.at <= at <= one.at + one.length}
                delays[one.name].append(own[0] - one.at + 1 if own else None)
            false += len(set(fired) - explained)
        print(f"{name}: false alarms a week {false / (4 * len(draws)):.2f}")
        for incident, found in delays.items():
            seen = sorted(each for each in found if each is not None)
            worst = f"windows until it is seen {seen[0]} to {seen[-1]}" if seen else "never seen"
            print(f"    {incident:30} {worst}, missed {found.count(None)} of {len(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
