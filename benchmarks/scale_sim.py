"""Budgets over many machines, simulated: one place that is asked for every call, fixed shares, or leases.

    python benchmarks/scale_sim.py [--machines 10] [--calls 200000] [--seed 1] [--json FILE]

Calls come to machines at random, some machines busier than others, each held for a while at its worst case and then
settled at what it cost. What is counted: overspend, what was left unused when a call was first refused (against the
bound that arithmetic gives) and in the end, and questions to the one place for each call until then.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
from pathlib import Path
from typing import Any

WORST = 40
"""What a call holds, in units of a tenth of a cent; it costs between 1 and this, 10 on average."""

IN_FLIGHT = 40
"""Calls between a call's start and its end, on average."""

BUDGET = 1_000_000


class Store:
    """The one place: what is left, and how often it was asked."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.asked = 0

    def take(self, amount: int) -> int:
        """Hand out *amount*, or what is left."""
        self.asked += 1
        given = min(amount, self.left)
        self.left -= given
        return given


class Machine:
    """Admits against what it has; *lease* is what it fetches at a time, None: nothing, it has its share for good."""

    def __init__(self, store: Store, lease: int | None, share: int) -> None:
        self._store = store
        self._lease = lease
        self.left = share

    def admit(self) -> bool:
        """Hold a call's worst case."""
        if self.left < WORST and self._lease is not None:
            self.left += self._store.take(max(self._lease, WORST - self.left))
        if self.left < WORST:
            return False
        self.left -= WORST
        return True

    def settle(self, cost: int) -> None:
        """Free what was not used."""
        self.left += WORST - cost


class Central(Machine):
    """Asks the one place for each call, and again when it is settled."""

    def admit(self) -> bool:
        if self._store.left < WORST:
            self._store.asked += 1
            return False
        return self._store.take(WORST) == WORST

    def settle(self, cost: int) -> None:
        self._store.asked += 1
        self._store.left += WORST - cost


def simulate(kind: str, machines: int, calls: int, lease: int, seed: int) -> dict[str, Any]:
    """Run *calls* through *machines* and return what came of it."""
    draw = random.Random(seed)
    store = Store(0 if kind == "shares" else BUDGET)
    make = Central if kind == "central" else Machine
    share = BUDGET // machines if kind == "shares" else 0
    gates = [make(store, lease if kind == "leases" else None, share) for _ in range(machines)]
    weights = [1 / (place + 1) for place in range(machines)]  # the busiest has ten times the calls of the tenth
    flying: list[tuple[float, int, int, int]] = []
    spent = held = admitted = 0
    first: tuple[int, float] | None = None
    for number, place in enumerate(draw.choices(range(machines), weights, k=calls)):
        while flying and flying[0][0] <= number:
            _, _, where, cost = heapq.heappop(flying)
            gates[where].settle(cost)
            held -= WORST
            spent += cost
        if gates[place].admit():
            cost = min(WORST, 1 + int(draw.expovariate(1 / 9)))
            heapq.heappush(flying, (number + draw.expovariate(1 / IN_FLIGHT), number, place, cost))
            held += WORST
            admitted += 1
        elif first is None:
            first = BUDGET - spent - held, store.asked / max(1, admitted)
    for _, _, where, cost in flying:
        gates[where].settle(cost)
        spent += cost
    return {
        "kind": kind if kind != "leases" else f"leases of {100 * lease / BUDGET:g} %",
        "overspent": max(0, spent - BUDGET),
        "unused_at_the_first_refusal_percent": None if first is None else round(100 * first[0] / BUDGET, 2),
        "unused_in_the_end_percent": round(100 * (BUDGET - spent) / BUDGET, 2),
        "questions_a_call": None if first is None else round(first[1], 4),
        "bound_of_what_lies_idle_percent": round(100 * bound(kind, machines, lease) / BUDGET, 2),
    }


def bound(kind: str, machines: int, lease: int) -> int:
    """Return the most that can lie idle on machines when another one is refused."""
    if kind == "central":
        return WORST - 1
    if kind == "shares":
        return BUDGET - BUDGET // machines
    # Each other machine holds less than a lease and a worst case, beside what calls in flight give back to it.
    return (machines - 1) * (lease + WORST) + IN_FLIGHT * 4 * WORST


def main() -> None:
    """Simulate each way and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, default=10, help="how many (default 10)")
    parser.add_argument("--calls", type=int, default=200_000, help="how many (default 200,000)")
    parser.add_argument("--seed", type=int, default=1, help="of the traffic (default 1)")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args()
    ways = [("central", 0), ("shares", 0), *(("leases", BUDGET // part) for part in (100, 1000, 10_000))]
    found = [simulate(kind, options.machines, options.calls, lease, options.seed) for kind, lease in ways]
    for line in found:
        print(json.dumps(line))
        assert line["overspent"] == 0
        if line["kind"] != "shares":
            assert (line["unused_at_the_first_refusal_percent"] or 0) <= line["bound_of_what_lies_idle_percent"] + 0.01
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
