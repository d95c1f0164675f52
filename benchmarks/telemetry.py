"""What exports cost a call: the gateway with logs, traces and metrics on, beside one with all of them off.

    python benchmarks/telemetry.py [--rounds 12] [--requests 250]

Two gateways, one receiver that takes everything, one provider that answers at once, one client with one connection
to each gateway. Rounds alternate, so that what else the machine does falls on both. Time is the client's; CPU is that
of the gateway's own process, and of its exporting process beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = """
[server]
port = 0
[ledger]
url = "sqlite:///{ledger}"
[telemetry]
logs = "{logs}"
[services.llm]
kind = "openai"
provider = "openai"
base_url = "{provider}"
limits = {{ requests_per_minute = 10000000, tokens_per_minute = 10000000000 }}
prices = {{ "m" = {{ input = "1", output = "2" }} }}
[[budgets]]
name = "all"
limit_usd = "1000000"
"""
BODY = json.dumps({"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": "hello"}]})
ANSWER = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
    }
).encode()
HEADERS = {"content-type": "application/json", "x-switchgear-run": "r", "x-switchgear-layer": "l"}
TICKS = os.sysconf("SC_CLK_TCK")


class Quick(BaseHTTPRequestHandler):
    """Answers at once: a completion, or that it took the spans."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers["content-length"]))
        body = b"" if self.path.startswith("/v1/traces") or self.path.startswith("/v1/metrics") else ANSWER
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def quick(told: multiprocessing.Queue[int]) -> None:
    """Be provider or receiver."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Quick)
    told.put(server.server_address[1])
    server.serve_forever()


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Yield the address of a process that answers at once."""
    told: multiprocessing.Queue[int] = multiprocessing.Queue()
    process = multiprocessing.Process(target=quick, args=(told,), daemon=True)
    process.start()
    yield f"http://127.0.0.1:{told.get()}"
    process.terminate()
    process.join()


class Gateway(NamedTuple):
    """A gateway under test."""

    process: subprocess.Popen[str]
    port: int


@contextlib.contextmanager
def gateway(folder: Path, provider: str, receiver: str | None) -> Iterator[Gateway]:
    """Yield a running gateway that exports to *receiver*, or nothing at all."""
    name = "off" if receiver is None else "on"
    file = folder / f"{name}.toml"
    logs = "off" if receiver is None else "json"
    file.write_text(CONFIG.format(ledger=folder / f"{name}.db", provider=provider, logs=logs), encoding="utf-8")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "LANGSMITH_"))}
    if receiver is not None:
        environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver, "OTEL_METRIC_EXPORT_INTERVAL": "5000"}
    command = [sys.executable, "-m", "switchgear", "serve", "--config", str(file)]
    with (
        (folder / f"{name}.log").open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environ) as process,
    ):
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        yield Gateway(process, port)
        process.send_signal(signal.SIGTERM)


def cpu(pid: int) -> float:
    """Return the seconds of CPU that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def children(pid: int) -> float:
    """Return the same for its children."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    others = Path(f"/proc/{pid}/task").iterdir()
    found += [child for task in others for child in (task / "children").read_text(encoding="ascii").split()]
    return sum(cpu(int(child)) for child in set(found))


def ask(link: http.client.HTTPConnection) -> float:
    """Make one request; return the seconds that it took."""
    begun = time.perf_counter()
    link.request("POST", "/llm/v1/chat/completions", BODY, HEADERS)
    answer = link.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--requests", type=int, default=250)
    asked = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        provider, receiver = stack.enter_context(served()), stack.enter_context(served())
        both = {
            "off": stack.enter_context(gateway(folder, provider, None)),
            "on": stack.enter_context(gateway(folder, provider, receiver)),
        }
        links = {name: http.client.HTTPConnection("127.0.0.1", one.port) for name, one in both.items()}
        for link in links.values():
            for _ in range(asked.requests):
                ask(link)
        times: dict[str, list[float]] = {"off": [], "on": []}
        medians: list[float] = []
        used = dict.fromkeys(both, 0.0)
        exporting = children(both["on"].process.pid)
        for turn in range(asked.rounds):
            of_round: dict[str, float] = {}
            for name in ("off", "on") if turn % 2 else ("on", "off"):
                before = cpu(both[name].process.pid)
                took = [ask(links[name]) for _ in range(asked.requests)]
                used[name] += cpu(both[name].process.pid) - before
                times[name] += took
                of_round[name] = statistics.median(took)
            medians.append(of_round["on"] / of_round["off"])
        exporting = children(both["on"].process.pid) - exporting
    calls = asked.rounds * asked.requests
    result = {
        "p50_us": {name: round(statistics.median(some) * 1e6) for name, some in times.items()},
        "p99_us": {name: round(statistics.quantiles(some, n=100)[98] * 1e6) for name, some in times.items()},
        "gateway_cpu_us_a_call": {name: round(seconds / calls * 1e6, 1) for name, seconds in used.items()},
        "exporting_cpu_us_a_call": round(exporting / calls * 1e6, 1),
        "p50_on_over_off": round(statistics.median(medians), 3),
        "p50_on_over_off_rounds": [round(ratio, 3) for ratio in sorted(medians)],
        "load_average": os.getloadavg()[0],
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
