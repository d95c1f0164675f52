"""Many calls at once from a process of its own: ``python -m switchgear.drills.load URL --calls N``."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections import Counter
from typing import Final

import httpx2

from switchgear.drills.asking import chat

__all__ = ["main", "start_load"]

_PATIENCE: Final = 60.0


def start_load(url: str, *, calls: int) -> subprocess.Popen[str]:
    """Start a process that sends *calls* to *url* at once; it prints how many had each status, as JSON."""
    return subprocess.Popen(  # noqa: S603 - our own command
        (sys.executable, "-P", "-m", "switchgear.drills.load", url, "--calls", str(calls)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


async def _send(url: str, calls: int) -> Counter[int]:
    limits = httpx2.Limits(max_connections=None)

    async def ask(client: httpx2.AsyncClient) -> int:
        try:
            return (await client.post(url, json=chat())).status_code
        except httpx2.TransportError:
            return 0

    async with httpx2.AsyncClient(trust_env=False, timeout=_PATIENCE, limits=limits) as client:
        return Counter(await asyncio.gather(*(ask(client) for _ in range(calls))))


def main() -> int:
    """Send, print, and return 0."""
    parser = argparse.ArgumentParser(prog="python -m switchgear.drills.load", description=__doc__)
    parser.add_argument("url", help="where each call is posted to")
    parser.add_argument("--calls", type=int, default=100, help="how many, all at once (default 100)")
    options = parser.parse_args()
    sys.stdout.write(json.dumps(asyncio.run(_send(options.url, options.calls))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
