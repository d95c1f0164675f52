"""The gateway beside nginx and LiteLLM: requests a second, latencies, streams, cancellation; and the ledger's count.

    python benchmarks/gateway.py [--quick] [--no-litellm] [--plain] [--tokens]

Everything is on: limits on requests and tokens (minute and day), a breaker, two budgets and a
SQLite ledger whose row is committed before the client has its whole answer. The gateway runs as one
process on core 1, load and fake provider on core 0. The tool that loads and compares is
``../shared/bench/run.sh``; where that folder is missing this benchmark says so and ends.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT.parent / "shared" / "bench" / "run.sh"
PORT = 9500
CONFIG = """
[server]
port = {port}
[ledger]
url = "sqlite:///{folder}/ledger.db"
durability = "process"
[services.openai]
kind = "openai"
provider = "openai"
base_url = "http://127.0.0.1:9100"
[services.openai.limits]
requests_per_minute = 100_000_000
requests_per_day = 100_000_000_000
tokens_per_minute = 1_000_000_000_000
tokens_per_day = 100_000_000_000_000
[[budgets]]
name = "all-of-the-day"
limit_usd = "100000000"
period = "day"
[[budgets]]
name = "openai-of-the-month"
match = {{ service = "openai" }}
limit_usd = "100000000"
period = "month"
"""
PLAIN = """
import sys
from switchgear.config import load
from switchgear.server import Server
from pathlib import Path
Server(load(Path(sys.argv[1]), environ={}), data_path="plain").run(print)
"""


def command(folder: Path, *, plain: bool) -> str:
    """Return what starts the gateway."""
    if plain:
        (folder / "plain.py").write_text(PLAIN)
        return shlex.join([sys.executable, str(folder / "plain.py"), str(folder / "bench.toml")])
    return shlex.join([sys.executable, "-m", "switchgear", "serve", "--config", str(folder / "bench.toml")])


def run(folder: Path, options: argparse.Namespace) -> list[dict[str, object]]:
    """Run the comparison; return a row for each gateway and round."""
    out = folder / "rows.jsonl"
    python_path = [str(ROOT / "src")]
    if not options.tokens:
        # The extra "tokens" counts each prompt exactly before the call; it is not part of "all".
        (folder / "quicktok.py").write_text('raise ImportError("not installed, as by default")\n')
        python_path.insert(0, str(folder))
    call = ["bash", str(TOOL), "--name", "switchgear", "--port", str(PORT), "--path", "/openai/v1/chat/completions"]
    call += ["--cmd", command(folder, plain=options.plain), "--out", str(out)]
    call += ["--env", f"PYTHONPATH={os.pathsep.join(python_path)}"]
    call += ["--quick"] * options.quick + ["--no-litellm"] * options.no_litellm
    subprocess.run(call, check=True)
    return [json.loads(line) for line in out.read_text().splitlines()]


def counted(folder: Path) -> dict[str, int]:
    """Return the rows of the ledger by status."""
    with sqlite3.connect(folder / "ledger.db") as ledger:
        return dict(ledger.execute("SELECT status, count(*) FROM attempts GROUP BY status"))


def best(rows: list[dict[str, object]], name: str, connections: str) -> dict[str, float] | None:
    """Return the best round of a gateway at so many connections."""
    rounds = [row["load"] for row in rows if str(row["name"]).split("#")[0] == name]
    found = [load[connections] for load in rounds if isinstance(load, dict) and connections in load]
    return max(found, key=lambda one: one["rps"], default=None)


def main() -> None:
    """Run the comparison and print ratios and JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one repetition, LiteLLM in the first round only")
    parser.add_argument("--no-litellm", action="store_true", help="nginx only")
    parser.add_argument("--plain", action="store_true", help="the plain ASGI path instead of the hot one")
    parser.add_argument("--tokens", action="store_true", help="with the extra 'tokens', if it is installed")
    options = parser.parse_args()
    if not TOOL.exists():
        print(f"{TOOL.parent} is not here, so there is nothing to compare with: skipped")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bench.toml").write_text(CONFIG.format(port=PORT, folder=folder))
        rows = run(folder, options)
        statuses = counted(folder)
    result: dict[str, object] = {"ledger": "row committed before the answer ends; durability = process"}
    result["rows"] = statuses
    for connections in ("1", "32", "128"):
        ours = best(rows, "switchgear", connections)
        for peer in ("nginx", "litellm"):
            other = best(rows, peer, connections)
            if ours is not None and other is not None:
                result[f"rps_c{connections}_over_{peer}"] = round(ours["rps"] / other["rps"], 3)
    print(json.dumps(result))
    # Whatever a client has cut off is settled too: nothing may stay reserved once the server has ended.
    assert not statuses.get("reserved"), statuses
    # The load tool does not count what it sends to warm up, so the rows can only be at least what it counts.
    measured = sum(int(load["n"]) for row in rows if str(row["name"]).startswith("switchgear") for load in _loads(row))
    assert sum(statuses.values()) >= measured, (statuses, measured)


def _loads(row: dict[str, object]) -> list[dict[str, float]]:
    load = row["load"]
    return list(load.values()) if isinstance(load, dict) else []


if __name__ == "__main__":
    main()
