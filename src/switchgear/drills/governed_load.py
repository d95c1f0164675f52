"""Calls through a governor in a process of its own: ``python -m switchgear.drills.governed_load CONFIG --calls N``."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from switchgear.clients.governor import Governor
from switchgear.clock import SystemClock
from switchgear.config import load
from switchgear.drills.asking import chat

__all__ = ["main", "start_governed_load"]


def start_governed_load(config: Path, *, calls: int) -> subprocess.Popen[str]:
    """Start a process that sends *calls* of the service ``llm`` at once when it is told to by a line.

    It says ``ready`` when its governor is open, and in the end how many calls had each status, as JSON.
    """
    return subprocess.Popen(  # noqa: S603 - our own command
        (sys.executable, "-P", "-m", "switchgear.drills.governed_load", str(config), "--calls", str(calls)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


async def _send(governor: Governor, calls: int) -> Counter[int]:
    async with governor.async_http_client("llm") as client:

        async def ask() -> int:
            return (await client.post("http://drill/v1/chat/completions", json=chat())).status_code

        statuses = Counter(await asyncio.gather(*(ask() for _ in range(calls))))
    await governor.state.aclose()
    return statuses


def main() -> int:
    """Open, wait, send, print, and return 0."""
    parser = argparse.ArgumentParser(prog="python -m switchgear.drills.governed_load", description=__doc__)
    parser.add_argument("config", type=Path, help="the configuration to open a governor with")
    parser.add_argument("--calls", type=int, default=100, help="how many, all at once (default 100)")
    options = parser.parse_args()
    with Governor(load(options.config, environ={}), clock=SystemClock()) as governor:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        sys.stdout.write(json.dumps(asyncio.run(_send(governor, options.calls))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
