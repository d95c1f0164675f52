"""Server time of every page and partial over a large ledger; and what 20 browsers' polling does to the gateway.

    python benchmarks/pages.py [--rows N] [--ledger FILE]
    python benchmarks/pages.py --polling [--rows N] [--rounds N]

The first asks the app itself, without a network: the median of milliseconds from the request to the end of its
answer, and of those the milliseconds of processor time, which say more on a busy machine. The second sends 1,000
requests a second through a gateway of its own, in rounds with and without browsers, one after the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _polling import measure_polling
from _scale import build, say

from switchgear.clients.governor import Governor
from switchgear.config import load
from switchgear.insight.snapshot import MetricsCollector
from switchgear.ledger.views import CallFilter
from switchgear.web.app import create_app
from switchgear.web.deps import WebDeps

if TYPE_CHECKING:
    from fastapi import FastAPI

CONFIG = """
[server]
reporting_timezone = "Europe/Vienna"
[ledger]
url = "sqlite:///{path}"
retention_days = 400
[services.openai]
kind = "openai"
base_url = "http://127.0.0.1:9"
limits = {{ requests_per_minute = 10000000, requests_per_day = 100000000 }}
[services.anthropic]
kind = "anthropic"
base_url = "http://127.0.0.1:9"
[[budgets]]
name = "all"
limit_usd = 100000000
period = "month"
[[budgets]]
name = "openai-day"
match = {{ service = "openai" }}
limit_usd = 100000000
period = "day"
[[budgets]]
name = "jobs"
each = "job"
limit_usd = 100000000
period = "month"
"""
PAGES = (
    "/",
    "/services",
    "/services/openai",
    "/budgets",
    "/budgets/all",
    "/budgets/jobs?value=job-03&by=model",
    "/usage",
    "/usage?range=90d&by=layer",
    "/usage?range=24h&by=model&bucket=15min",
    "/calls",
    "/calls?job=job-03&service=openai",
    "/calls?outcome=failed",
    "/calls?live=1",
    "/alerts",
    "/-/audit",
    "/-/prices",
    "/-/doctor",
)
PARTIALS = (
    "/partials/service-health",
    "/partials/metrics-dashboard",
    "/partials/budget-monitor",
    "/partials/usage-graphs",
    "/partials/alerts",
)
OTHERS = ("/api/health?strict=0", "/api/metrics", "/metrics", "/calls.json?limit=500", "/budgets.json", "/usage.json")
GOALS = {"pages": 50.0, "partials": 20.0, "snapshot": 5.0}
TIMES = 15


async def ask(app: FastAPI, address: str) -> tuple[int, int]:
    """Ask *app* itself for *address*; return the status and the length of the answer."""
    path, _, query = address.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8400"), (b"accept", b"text/html")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8400),
    }
    found = [0, 0]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            found[0] = message["status"]
        else:
            found[1] += len(message.get("body", b""))

    await app(scope, receive, send)  # type: ignore[arg-type]  # as every server calls it
    return found[0], found[1]


async def timed(app: FastAPI, address: str) -> dict[str, float]:
    """Return the first time of *address* and medians of the ones after it, in milliseconds."""
    wall, cpu = [], []
    size = 0
    for _ in range(TIMES + 1):
        began, worked = time.perf_counter(), time.process_time()
        status, size = await ask(app, address)
        cpu.append((time.process_time() - worked) * 1e3)
        wall.append((time.perf_counter() - began) * 1e3)
        assert status == 200, (address, status)
    return {
        "first": round(wall[0], 1),
        "then": round(statistics.median(wall[1:]), 1),
        "processor": round(statistics.median(cpu[1:]), 1),
        "kB": round(size / 1000, 1),
    }


async def asked(app: FastAPI, addresses: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Return what *timed* says of each address."""
    found = {}
    for address in addresses:
        found[address] = await timed(app, address)
        say(f"{address}: {found[address]}")
    return found


def measure(config: Path) -> dict[str, Any]:
    """Open the governor of *config* and ask for everything."""
    with Governor(load(config, environ={})) as governor:
        reader = governor.ledger.reader
        collector = MetricsCollector(reader, governor.state, governor.clock, config=governor.config)
        deps = WebDeps(
            collector=collector,
            reader=reader,
            config=governor.config,
            clock=governor.clock,
            version="0",
            started_at=governor.clock.moment().wall,
            gate=governor,
            commands=governor,
        )
        app = create_app(deps)
        [newest] = reader.calls(CallFilter(), limit=1).items
        one = (f"/calls/{newest.call_id}", f"/traces/{newest.trace_id}")
        snapshots = []
        for _ in range(TIMES + 1):
            worked = time.process_time()
            collector.snapshot()
            snapshots.append((time.process_time() - worked) * 1e3)
        return {
            "snapshot": {"first": round(snapshots[0], 1), "processor": round(statistics.median(snapshots[1:]), 2)},
            "pages": asyncio.run(asked(app, PAGES + one)),
            "partials": asyncio.run(asked(app, PARTIALS)),
            "others": asyncio.run(asked(app, OTHERS)),
        }


def main() -> None:
    """Measure; print a table and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000, help="how large the ledger is: 0.5 KB a row")
    parser.add_argument("--ledger", type=Path, help="a ledger that is there already, instead of making one")
    parser.add_argument("--polling", action="store_true", help="what polling does to the gateway")
    parser.add_argument("--rounds", type=int, default=8, help="of polling, each 6 s with and 6 s without")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.ledger or Path(folder) / "ledger.db"
        if options.ledger is None:
            say(f"{options.rows:,} rows")
            build(path, rows=options.rows, until_us=time.time_ns() // 1000)
        config = Path(folder) / "switchgear.toml"
        config.write_text(CONFIG.format(path=path), encoding="utf-8")
        result = measure_polling(config, rounds=options.rounds) if options.polling else measure(config)
    if not options.polling:
        slow = [
            f"{address}: {numbers['processor']} ms"
            for kind in ("pages", "partials")
            for address, numbers in result[kind].items()
            if numbers["processor"] > GOALS[kind]
        ]
        sys.stderr.write("\n".join(["above the goals:", *slow]) + "\n" if slow else "all within the goals\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
