"""The server killed with SIGKILL at random moments under load, against the provider's own count.

    python benchmarks/crash.py [--kills 200] [--seed 1] [--json FILE]

Every request carries an id of its own, in its text (which the provider sees) and as its job (which
the ledger sees). After the last kill: no call that the provider saw is missing from the ledger, none
is there twice, every answer that a client got is settled, and the ledger's spend is not below what
the provider served.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2

from switchgear.clock import SystemClock
from switchgear.drills.sandbox import Sandbox
from switchgear.ledger import Ledger
from switchgear.ledger.views import CallFilter, CallRow

WORKERS = 8
INPUT, OUTPUT = 1, 2  # USD per million tokens, so micro-USD a token
CONFIG = """
[server]
port = 0

[ledger]
url = "sqlite:///{folder}/ledger.db"

[services.llm]
kind = "openai"
base_url = "{url}"
limits = {{ requests_per_minute = 10000000 }}
breaker = {{ failure_threshold = 1000000, minimum_calls = 1000000 }}
prices = {{ "m" = {{ input = "{input}", output = "{output}" }} }}
"""


class Load:
    """Clients that ask without a pause until the server is gone."""

    def __init__(self, url: str, round_: int) -> None:
        self.answered: set[str] = set()
        self._url = url
        self._round = round_
        self._threads = [threading.Thread(target=self._work, args=(worker,)) for worker in range(WORKERS)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until every client has noticed that the server is gone."""
        for thread in self._threads:
            thread.join()

    def _work(self, worker: int) -> None:
        with httpx2.Client(base_url=self._url, timeout=10) as client:
            for number in range(1_000_000):
                name = f"id-{self._round}-{worker}-{number}"
                body = {"model": "m", "max_tokens": 4, "stream": number % 3 == 0}
                body["messages"] = [{"role": "user", "content": name}]
                try:
                    answer = client.post(
                        "/llm/v1/chat/completions", json=body, headers={"x-switchgear-job": name, **_fault(number)}
                    )
                except httpx2.TransportError:
                    return
                if answer.status_code == 200:  # a stream without its end is an error above
                    self.answered.add(name)


def _fault(number: int) -> dict[str, str]:
    return {"x-sandbox-fault": "latency=20ms"} if number % 4 == 0 else {}


def run(kills: int, seed: int) -> dict[str, Any]:
    """Kill *kills* servers; return what was found."""
    moments = random.Random(seed)
    seen: set[str] = set()
    answered: set[str] = set()
    served = [0, 0]
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox:
        path = Path(folder) / "switchgear.toml"
        path.write_text(CONFIG.format(folder=folder, url=sandbox.url, input=INPUT, output=OUTPUT), encoding="utf-8")
        started = time.monotonic()
        for number in range(kills):
            load = _killed(path, number, moments)
            answered |= load.answered
            stats = sandbox.stats()
            seen |= {found[0] for one in sandbox.requests if (found := re.search(r"id-\d+-\d+-\d+", one.body.decode()))}
            served[0] += stats.input_tokens
            served[1] += stats.output_tokens
            sandbox.reset()
            _progress(number + 1, kills, time.monotonic() - started, len(seen))
        with Ledger.open(f"sqlite:///{folder}/ledger.db", clock=SystemClock()) as ledger:
            rows = _rows(ledger)
    return _compared(rows, seen, answered, served, kills)


def _killed(path: Path, number: int, moments: random.Random) -> Load:
    command = [sys.executable, "-m", "switchgear", "serve", "--config", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        load = Load(process.stdout.readline().split()[1], number)
        load.start()
        time.sleep(moments.uniform(0.02, 0.4))
        process.send_signal(signal.SIGKILL)
        load.join()
    return load


def _rows(ledger: Ledger) -> list[CallRow]:
    rows: list[CallRow] = []
    after: str | None = None
    while True:
        page = ledger.reader.calls(CallFilter(), limit=500, after=after)
        rows += page.items
        after = page.next
        if after is None:
            return rows


def _compared(rows: list[CallRow], seen: set[str], answered: set[str], served: list[int], kills: int) -> dict[str, Any]:
    times = Counter(row.job for row in rows)
    settled = {row.job for row in rows if row.status == "ok"}
    spent = sum(row.cost or 0 for row in rows)
    owed = (served[0] * INPUT + served[1] * OUTPUT) * 1000
    return {
        "kills": kills,
        "seen_by_the_provider": len(seen),
        "rows": len(rows),
        "orphaned": sum(row.status == "orphaned" for row in rows),
        "lost": len(seen - times.keys()),
        "double": sum(count > 1 for count in times.values()),
        "answered_but_not_settled": len(answered - settled),
        "spent_nano_usd": spent,
        "served_nano_usd": owed,
        "spent_below_served": spent < owed,
    }


def _progress(done: int, kills: int, elapsed: float, calls: int) -> None:
    left = elapsed / done * (kills - done)
    print(f"\r{done}/{kills} kills, {calls:,} calls, ETA {left:.0f} s ", end="", file=sys.stderr, flush=True)


def main() -> None:
    """Run, print, and fail if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="how many servers to kill (default 20)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default 1)")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    arguments = parser.parse_args()
    result = run(arguments.kills, arguments.seed)
    print(file=sys.stderr)
    print(json.dumps(result, indent=2))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=2), encoding="utf-8")
    if any(result[key] for key in ("lost", "double", "answered_but_not_settled", "spent_below_served")):
        sys.exit(3)


if __name__ == "__main__":
    main()
