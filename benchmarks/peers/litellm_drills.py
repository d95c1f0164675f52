"""The drills of a budget and of accuracy, on LiteLLM's proxy and on Switchgear, with one load and one provider.

    python benchmarks/peers/litellm_drills.py --litellm ~/.cache/gwbench/litellm/bin/litellm [--json FILE]

Without --litellm a throw-away environment with the pinned version is made (uv, some minutes) and goes afterwards.
Each of four budgets is raced for by 1,000 calls at once; what was spent is the provider's own count of tokens. Then
200 calls, streamed and not, are compared token by token with what each gateway has accounted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from switchgear.clock import SystemClock
from switchgear.drills.ground import free_port
from switchgear.drills.sandbox import Sandbox
from switchgear.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PINNED = "1.109.1"
HERE = Path(__file__).parent
CALLS = 1000
BUDGET = 0.005
INPUT, OUTPUT = 1e-6, 2e-6  # USD a token
OVERRIDES = "certifi>=2026.4\nlitellm-proxy-extras>=0.4\nlitellm-enterprise>=0.1\n"
QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOG": "ERROR",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_TELEMETRY": "False",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
}
MODEL = """
model_list:
  - model_name: drill
    litellm_params:
      model: openai/drill
      api_base: {url}/v1
      api_key: sk-none
      input_cost_per_token: 0.000001
      output_cost_per_token: 0.000002
litellm_settings: {{telemetry: false, num_retries: 0, request_timeout: 120, callbacks: litellm_hooks.accounts}}
"""
KEYS = """
general_settings:
  master_key: sk-master-of-this-drill-only
  custom_auth: litellm_hooks.user_api_key_auth
  custom_auth_run_common_checks: true
  {more}
"""
PROVIDER = """
router_settings:
  provider_budget_config: {{openai: {{budget_limit: {budget}, time_period: 1d}}}}
"""
SETTINGS = {
    "LiteLLM, provider budget": PROVIDER.format(budget=BUDGET),
    "LiteLLM, key budget": KEYS.format(more=""),
    "LiteLLM, key budget, fail_closed_budget_enforcement": KEYS.format(more="fail_closed_budget_enforcement: true"),
    "LiteLLM, key budget, disable_budget_reservation": KEYS.format(more="disable_budget_reservation: true"),
}
ACCOUNTING = {
    "LiteLLM": "",
    "LiteLLM, always_include_stream_usage": "general_settings: {always_include_stream_usage: true}\n",
}
OURS = """
[server]
port = {port}
[ledger]
url = "sqlite:///{folder}/ledger.db"
[services.drill]
kind = "openai"
base_url = "{url}"
limits = {{ requests_per_minute = 10000000 }}
breaker = {{ failure_threshold = 1000000, minimum_calls = 1000000 }}
prices = {{ "drill" = {{ input = "1", output = "2" }} }}
{budget}
"""


class Gateway:
    """One gateway under drill: where it listens, and what it has accounted."""

    def __init__(self, name: str, url: str, accounts: Callable[[], list[tuple[int, int, float]]]) -> None:
        self.name = name
        self.url = url
        self.accounts = accounts


@contextlib.contextmanager
def running(command: list[str], port: int, folder: Path, environ: dict[str, str]) -> Iterator[None]:
    """Run *command* until it answers on *port*, and end it."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, env={**os.environ, **environ}, start_new_session=True
        )
    try:
        for _ in range(600):
            with contextlib.suppress(httpx2.TransportError):
                httpx2.get(f"http://127.0.0.1:{port}/", trust_env=False)
                break
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            time.sleep(0.1)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def litellm(program: str, settings: str, sandbox: Sandbox, *, budget: bool) -> Iterator[Gateway]:
    """Run LiteLLM's proxy with *settings*."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "litellm_hooks.py").write_text((HERE / "litellm_hooks.py").read_text())
        (folder / "config.yaml").write_text(MODEL.format(url=sandbox.url) + settings)
        accounts = folder / "accounts.jsonl"
        accounts.touch()
        environ = {**QUIET, "DRILL_ACCOUNTS": str(accounts), "DRILL_KEY_BUDGET": str(BUDGET) if budget else ""}
        command = [
            program,
            "--config",
            "config.yaml",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--telemetry",
            "False",
        ]
        with running(command, port, folder, environ):

            def accounted() -> list[tuple[int, int, float]]:
                lines = [json.loads(line) for line in accounts.read_text().splitlines()]
                return [(one["prompt_tokens"], one["completion_tokens"], one["response_cost"]) for one in lines]

            yield Gateway("LiteLLM", f"http://127.0.0.1:{port}/v1/chat/completions", accounted)


@contextlib.contextmanager
def switchgear(sandbox: Sandbox, *, budget: bool) -> Iterator[Gateway]:
    """Run ``switchgear serve``."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        limit = f'[[budgets]]\nname = "all"\nlimit_usd = "{BUDGET}"' if budget else ""
        text = OURS.format(port=port, folder=folder, url=sandbox.url, budget=limit)
        (folder / "switchgear.toml").write_text(text)
        command = [sys.executable, "-m", "switchgear", "serve", "--config", str(folder / "switchgear.toml")]
        with running(command, port, folder, {}):

            def accounted() -> list[tuple[int, int, float]]:
                url = f"sqlite:///{folder}/ledger.db"
                with Ledger.open(url, clock=SystemClock(), writable=False) as ledger:
                    rows = ledger.reader.calls(limit=1000).items
                done = [row for row in rows if row.status == "ok"]
                return [(row.input_tokens, row.output_tokens, (row.cost or 0) / 1e9) for row in done]

            yield Gateway("Switchgear", f"http://127.0.0.1:{port}/drill/v1/chat/completions", accounted)


async def send(url: str, calls: int, *, streams: bool, at_once: int) -> Counter[int]:
    """Send *calls* and return the statuses."""
    gate = asyncio.Semaphore(at_once)
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(trust_env=False, timeout=180, limits=limits) as client:

        async def ask(number: int) -> int:
            body = {
                "model": "drill",
                "max_tokens": 8,
                "messages": [{"role": "user", "content": "is this only a drill"}],
                "stream": streams and number % 2 == 0,
            }
            async with gate:
                try:
                    return (await client.post(url, json=body, headers={"authorization": "Bearer sk-drill"})).status_code
                except httpx2.TransportError:
                    return 0

        return Counter(await asyncio.gather(*(ask(number) for number in range(calls))))


def race(gateway: Gateway, sandbox: Sandbox) -> dict[str, Any]:
    """Let 1,000 calls race for the budget; what was spent is the provider's count."""
    sandbox.reset()
    sandbox.fault("latency=100ms")
    statuses = asyncio.run(send(gateway.url, CALLS, streams=False, at_once=CALLS))
    sandbox.wait_until(lambda stats: stats.under_way == 0, patience=30)
    stats = sandbox.stats()
    spent = stats.input_tokens * INPUT + stats.output_tokens * OUTPUT
    return {
        "answered": statuses[200],
        "refused": CALLS - statuses[200] - statuses[0],
        "no_answer": statuses[0],
        "reached_the_provider": stats.received,
        "spent_usd": round(spent, 9),
        "budget_usd": BUDGET,
        "overspent_percent": round(max(0.0, 100 * (spent / BUDGET - 1)), 1),
    }


def accuracy(gateway: Gateway, sandbox: Sandbox) -> dict[str, Any]:
    """Compare what *gateway* has accounted for 200 calls, half of them streamed, with the provider's count."""
    sandbox.reset()
    statuses = asyncio.run(send(gateway.url, 200, streams=True, at_once=8))
    time.sleep(3)  # it may account behind the answer
    stats, rows = sandbox.stats(), gateway.accounts()
    owed = stats.input_tokens * INPUT + stats.output_tokens * OUTPUT
    return {
        "answered": statuses[200],
        "calls": [len(rows), stats.received],
        "input_tokens": [sum(row[0] for row in rows), stats.input_tokens],
        "output_tokens": [sum(row[1] for row in rows), stats.output_tokens],
        "usd": [round(sum(row[2] for row in rows), 9), round(owed, 9)],
    }


@contextlib.contextmanager
def program(given: str | None) -> Iterator[str]:
    """Yield the path of a LiteLLM of the pinned version, in an environment that goes again unless it was given."""
    if given is not None:
        yield str(Path(given).expanduser())
        return
    with tempfile.TemporaryDirectory(prefix="litellm-") as name:
        folder = Path(name)
        (folder / "over.txt").write_text(OVERRIDES)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "env")], check=True)
        python = str(folder / "env" / "bin" / "python")
        packages = [f"litellm[proxy,proxy-runtime]=={PINNED}", "httptools"]
        install = ["uv", "pip", "install", "-q", "--python", python, "--override", str(folder / "over.txt"), *packages]
        subprocess.run([sys.executable, "-m", *install], check=True)
        yield str(folder / "env" / "bin" / "litellm")


def main() -> None:
    """Run all of it and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--litellm", metavar="PROGRAM", help=f"an installed litellm {PINNED}")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args()
    found: dict[str, Any] = {"machine": f"{platform.machine()}, {os.cpu_count()} cores", "race": {}, "accuracy": {}}
    with program(options.litellm) as path, Sandbox() as sandbox:
        for name, settings in SETTINGS.items():
            with litellm(path, settings, sandbox, budget="key" in name) as gateway:
                found["race"][name] = race(gateway, sandbox)
            print(name, json.dumps(found["race"][name]), flush=True)
        for name, more in ACCOUNTING.items():
            with litellm(path, more, sandbox, budget=False) as gateway:
                found["accuracy"][name] = accuracy(gateway, sandbox)
            print(name, json.dumps(found["accuracy"][name]), flush=True)
        with switchgear(sandbox, budget=True) as gateway:
            found["race"]["Switchgear"] = race(gateway, sandbox)
        with switchgear(sandbox, budget=False) as gateway:
            found["accuracy"]["Switchgear"] = accuracy(gateway, sandbox)
    print(json.dumps(found, indent=2))
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
