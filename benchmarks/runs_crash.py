"""Workers killed with SIGKILL at random moments of many runs: every run ends, no finished layer is made or paid again.

    python benchmarks/runs_crash.py [--runs 50] [--kills 50] [--workers 1] [--seed 1] [--database URL] [--json FILE]

Each run has five layers, each with one paid call to the sandbox provider. A worker is killed at a random moment and
another one takes its place, again and again; then the last one is let to the end. Afterwards: every run has ended well;
no call of a layer was begun after that layer had finished; what was on the wire when a worker died was asked for again
under the same idempotency key and is on record as such; and the ledger knows of each request that the provider saw.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from switchgear.clients.governor import Governor
from switchgear.config import load_text
from switchgear.drills.sandbox import Sandbox
from switchgear.ledger.views import CallFilter, CallRow
from switchgear.runner import Runner, layer, pipeline

LAYERS = 5
CONFIG = """
[services.llm]
kind = "openai"
base_url = "{url}"
limits = {{ requests_per_minute = 10000000 }}
breaker = {{ failure_threshold = 1000000, minimum_calls = 1000000 }}
prices = {{ "m" = {{ input = "1", output = "2" }} }}
"""


class Service:
    """The governed client that the layers of a worker share."""

    client: Any = None


@layer()
async def ask(number: int, place: int) -> int:
    """Pay for one answer."""
    body = {"model": "m", "messages": [{"role": "user", "content": f"{number}/{place}"}], "max_tokens": 5}
    answer = await Service.client.post("/v1/chat/completions", json=body)
    answer.raise_for_status()
    await asyncio.sleep(0.02)
    return place


@pipeline(layers=["ask"] * LAYERS)
async def asking(number: int) -> int:
    """Five layers in a row."""
    return sum([await ask(number, place) for place in range(LAYERS)])


def opened(folder: str, name: str, url: str) -> Governor:
    """Return the governor of a worker, with a ledger of its own: one process writes to a SQLite ledger."""
    environ = {"SWITCHGEAR_LEDGER__URL": f"sqlite:///{folder}/{name}.db"}
    return Governor(load_text(CONFIG.format(url=url), environ=environ))


def work(folder: str, name: str, url: str, database: str) -> None:
    """Be a worker until somebody says otherwise."""
    with opened(folder, name, url) as governor:
        Service.client = governor.async_http_client("llm")
        settings: dict[str, Any] = {
            "url": database,
            "heartbeat": "100ms",
            "dead_after": "2s",
            "files": f"{folder}/files",
        }
        with Runner(governor, pipelines=[asking], **settings):
            print("ready", flush=True)
            signal.sigwait({signal.SIGTERM})


class Workers:
    """Processes that are killed and replaced."""

    def __init__(self, folder: str, url: str, database: str) -> None:
        self._arguments = [folder, url, database]
        self._running: dict[str, subprocess.Popen[str]] = {}

    def start(self, name: str) -> None:
        folder, url, database = self._arguments
        command = [sys.executable, __file__, "--worker", name, folder, url, database]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ})
        self._running[name] = process

    def ready(self, name: str) -> None:
        stdout = self._running[name].stdout
        assert stdout is not None
        assert stdout.readline().strip() == "ready"

    def kill(self, name: str) -> None:
        process = self._running.pop(name)
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()

    def end(self) -> None:
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            process.wait(timeout=60)
            assert process.stdout is not None
            process.stdout.close()


def rows(governor: Governor, run: str) -> list[CallRow]:
    """Return the attempts of *run*."""
    return list(governor.ledger.reader.calls(CallFilter(run=run), limit=1000).items)


def judged(folder: str, names: list[str], runner: Runner, runs: tuple[str, ...], seen: int) -> dict[str, Any]:
    """Return the findings; each of those that must be 0 says so in its name."""
    statuses: Counter[str] = Counter()
    finished: dict[tuple[str, int], int] = {}
    for run in runs:
        view = runner.show(run)
        statuses[view.status] += 1
        for one in view.layers:
            if one.step is not None and one.ended_at is not None and one.status == "ok":
                finished[run, one.step] = one.ended_at
    calls: Counter[tuple[str, int]] = Counter()
    unmarked: Counter[tuple[str, int]] = Counter()
    late = repeated = recorded = 0
    for name in names:
        with opened(folder, name, "http://127.0.0.1:9") as governor:
            for run in runs:
                for call in rows(governor, run):
                    step = int(call.tags["idempotency"].rpartition(":")[2])
                    calls[run, step] += 1
                    recorded += 1
                    repeated += "execution" in call.tags
                    unmarked[run, step] += "execution" not in call.tags
                    late += call.started_at > finished.get((run, step), 1 << 62)
    paid_again = sum(made - 1 for made in calls.values())
    return {
        "runs": len(runs),
        "ended": dict(statuses),
        "layers": len(finished),
        "calls_on_record": recorded,
        "requests_seen_by_provider": seen,
        "calls_made_again_after_a_death": paid_again,
        "calls_marked_as_of_a_later_execution": repeated,
        "calls_after_their_layer_finished_MUST_BE_0": late,
        "runs_not_ended_well_MUST_BE_0": len(runs) - statuses["ok"],
        "requests_unknown_to_the_ledger_MUST_BE_0": max(0, seen - recorded),
        "repeats_without_a_mark_MUST_BE_0": sum(made > 1 for made in unmarked.values()),
    }


def killed(crowd: Workers, runner: Runner, chance: random.Random, names: list[str], kills: int) -> int:
    """Kill workers at random moments, then wait until every run has ended; return how many were killed."""
    done = 0
    for kill in range(kills):
        time.sleep(chance.uniform(0.0, 1.5))
        victim = names[kill % len(names)]
        crowd.kill(victim)
        done += 1
        crowd.start(victim)
        crowd.ready(victim)
        if not runner.capacity().queued and not runner.capacity().active_runs:
            break
    ends = time.monotonic() + 600
    while (found := runner.capacity()).queued or found.active_runs:
        time.sleep(0.1)
        assert time.monotonic() < ends, found
    return done


def measure(*, runs: int, kills: int, workers: int, seed: int, database: str | None) -> dict[str, Any]:
    """Kill workers at random, then let them end; return the findings."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox:
        where = database or f"sqlite:///{folder}/runs.db"
        sandbox.fault("latency=30ms")
        names = [f"worker{number}" for number in range(workers)]
        with opened(folder, "parent", sandbox.url) as governor:
            runner = Runner(governor, url=where, pipelines=[asking], work=False)
            submitted = runner.submit_many("asking", range(runs))
            crowd = Workers(folder, sandbox.url, where)
            for name in names:
                crowd.start(name)
            for name in names:
                crowd.ready(name)
            began = time.monotonic()
            try:
                done = killed(crowd, runner, chance, names, kills)
            finally:
                crowd.end()
            sandbox.wait_until(lambda stats: stats.under_way == 0)
            findings = judged(folder, names, runner, submitted, sandbox.stats().received)
            runner.close()
        return {
            "kills": done,
            "workers": workers,
            "seed": seed,
            "seconds": round(time.monotonic() - began, 1),
            **findings,
        }


def main() -> int:
    """Print the findings; 1 if one of them must not be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", help="a PostgreSQL URL; default: a SQLite file")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        name, folder, url, database = chosen.worker
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        work(folder, name, url, database)
        return 0
    findings = measure(
        runs=chosen.runs, kills=chosen.kills, workers=chosen.workers, seed=chosen.seed, database=chosen.database
    )
    for name, value in findings.items():
        print(f"{name:45} {value}")
    if chosen.json:
        chosen.json.write_text(json.dumps(findings, indent=2), encoding="utf-8")
    return int(any(value for name, value in findings.items() if name.endswith("MUST_BE_0")))


if __name__ == "__main__":
    sys.exit(main())
