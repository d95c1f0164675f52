"""What costing one call takes: our compiled prices beside genai-prices' own calculation, in one run.

Usage: python benchmarks/prices.py [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import timeit
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import genai_prices

from switchgear.calls import Usage
from switchgear.policies.pricing import PriceBook, PriceSource

if TYPE_CHECKING:
    from collections.abc import Callable

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
AT_US = int(AT.timestamp()) * 1_000_000
ROUNDS = 7
MODEL = "gpt-4o-mini-2024-07-18"
USAGE = Usage(input_tokens=1_200, output_tokens=300, cache_read_tokens=400, reasoning_tokens=100)
THEIRS = genai_prices.Usage(input_tokens=1_200, output_tokens=300, cache_read_tokens=400, output_reasoning_tokens=100)


def best(function: Callable[[], object], number: int) -> float:
    """Return the microseconds of one call, in the best of several rounds."""
    return min(timeit.repeat(function, number=number, repeat=ROUNDS)) / number * 1e6


def main() -> None:
    """Measure, print and, where asked, write the numbers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    book = PriceBook({"openai": PriceSource(kind="openai")})
    price = book.price("openai", MODEL, AT_US)
    assert price is not None

    def whole() -> int:
        found = book.price("openai", MODEL, AT_US)
        assert found is not None
        return book.worst_case(found, USAGE) + book.cost(found, USAGE)

    measured = {
        "cost": best(lambda: book.cost(price, USAGE), 100_000),
        "worst_case": best(lambda: book.worst_case(price, USAGE), 100_000),
        "look_up": best(lambda: book.price("openai", MODEL, AT_US), 100_000),
        "look_up_worst_case_cost": best(whole, 100_000),
        "genai_prices_calc_price": best(
            lambda: genai_prices.calc_price(THEIRS, MODEL, provider_id="openai", genai_request_timestamp=AT), 2_000
        ),
    }
    for name, micros in measured.items():
        print(f"{name:<26} {micros:8.2f} us")
    ratio = measured["genai_prices_calc_price"] / (measured["look_up"] + measured["cost"])
    print(f"genai-prices / ours (look up and cost): {ratio:.0f}x")
    if arguments.json:
        arguments.json.write_text(json.dumps({"us": measured, "ratio": ratio}, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
