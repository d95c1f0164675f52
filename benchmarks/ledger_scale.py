"""What a large ledger costs to ask: made by bulk SQL, then asked what pages, the API and a start ask."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from _scale import DAYS, build, say

from switchgear.clients.governor import Governor
from switchgear.clock import SystemClock
from switchgear.config import load
from switchgear.insight.questions import Span
from switchgear.insight.snapshot import MetricsCollector
from switchgear.insight.usage import UsageQuestion, usage
from switchgear.ledger import Ledger
from switchgear.ledger.access import looking
from switchgear.ledger.verify import verify
from switchgear.ledger.views import CallFilter

if TYPE_CHECKING:
    from collections.abc import Callable

DAY_US = 86_400_000_000
QUARTER_US = 900_000_000
CONFIG = """
[ledger]
url = "sqlite:///{path}"
[services.openai]
kind = "openai"
limits = {{ requests_per_minute = 10000000, requests_per_day = 100000000 }}
[services.anthropic]
kind = "anthropic"
[[budgets]]
name = "all"
limit_usd = 100000000
period = "total"
[[budgets]]
name = "jobs"
each = "job"
limit_usd = 100000000
period = "month"
[[budgets]]
name = "customers"
each = "tag.customer"
limit_usd = 100000000
period = "total"
[[budgets]]
name = "rolling"
match = {{ job = "job-03" }}
limit_usd = 100000000
period = "7d"
"""


def ms(ask: Callable[[], object], times: int = 15) -> float:
    """Return the median of milliseconds that *ask* takes, after the first time."""
    taken = [once(ask) for _ in range(times + 1)]
    return round(statistics.median(taken[1:]), 2)


def once(ask: Callable[[], object]) -> float:
    """Return the milliseconds that *ask* takes."""
    began = time.perf_counter()
    ask()
    return round((time.perf_counter() - began) * 1e3, 2)


def asked(ledger: Ledger, until_us: int) -> dict[str, float]:
    """Return milliseconds of each question about calls and usage."""
    reader, zone = ledger.reader, ZoneInfo("Europe/Vienna")
    since = (until_us - DAYS * DAY_US) // QUARTER_US * QUARTER_US
    question = UsageQuestion(by=("provider", "layer"), bucket="hour", span=Span(since, None))
    [middle] = reader.calls(CallFilter(until=until_us - 60 * DAY_US), limit=1).items
    deep = reader.calls(CallFilter(until=until_us - 60 * DAY_US), limit=1).next
    return {
        "graph, 90 days by hour, provider and layer: first": once(
            lambda: usage(reader.usage, question, zone=zone, providers={})
        ),
        "graph: then": ms(lambda: usage(reader.usage, question, zone=zone, providers={})),
        "calls: first page": ms(lambda: reader.calls(limit=50)),
        "calls: a page from 60 days ago": ms(lambda: reader.calls(limit=50, after=deep)),
        "calls: of one job": ms(lambda: reader.calls(CallFilter(job="job-03"), limit=50)),
        "calls: failed ones of 90 days": ms(lambda: reader.calls(CallFilter(status="failed", since=since), limit=50)),
        "call: detail": ms(lambda: reader.call(middle.call_id)),
    }


def started(config: Path, path: Path) -> dict[str, float]:
    """Return milliseconds of starts with four budgets, and of what pages ask a running server."""
    config.write_text(CONFIG.format(path=path), encoding="utf-8")
    found: dict[str, float] = {}

    def start() -> Governor:
        return Governor(load(config, environ={}))

    for name in ("start: the first one with these budgets", "start: every other one"):
        began = time.perf_counter()
        with start() as governor:
            governor.state.budgets(governor.clock.moment())
            found[name] = round((time.perf_counter() - began) * 1e3, 1)
    with start() as governor:
        collector = MetricsCollector(governor.ledger.reader, governor.state, governor.clock, config=governor.config)
        found["/api/metrics, budgets page: first"] = once(collector.snapshot)
        found["/api/metrics, budgets page: then"] = ms(collector.snapshot)
        found["/metrics, sums of all time: first"] = once(collector.lifetime)
        found["/metrics, sums of all time: then"] = ms(collector.lifetime)
    return found


def measure(folder: Path, rows: int) -> dict[str, float]:
    """Make a ledger of *rows* attempts and ask it."""
    path, until_us = folder / f"{rows}.db", time.time_ns() // 1000
    say(f"{rows:,} rows")
    found = {"made in s": round(build(path, rows=rows, until_us=until_us), 1)}
    found |= started(folder / "switchgear.toml", path)
    with Ledger.open(f"sqlite:///{path}", clock=SystemClock(), writable=False) as ledger:
        found |= asked(ledger, until_us)
    with looking(f"sqlite:///{path}") as engine:
        began = time.perf_counter()
        assert verify(engine).sound
        found["verify in s"] = round(time.perf_counter() - began, 1)
    path.unlink()
    return found


def main() -> None:
    """Measure 10,000 rows and more, up to the size asked for; print a table and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="the largest ledger; its file takes 0.5 KB a row")
    options = parser.parse_args()
    sizes = [size for size in (10_000, 1_000_000) if size < options.rows] + [options.rows]
    with tempfile.TemporaryDirectory() as folder:
        results = {size: measure(Path(folder), size) for size in sizes}
    width = max(map(len, results[sizes[0]]))
    sys.stderr.write(f"{'ms, unless it says s':{width}}  " + "".join(f"{size:>14,}" for size in sizes) + "\n")
    for name in results[sizes[0]]:
        sys.stderr.write(f"{name:{width}}  " + "".join(f"{results[size][name]:>14,}" for size in sizes) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
