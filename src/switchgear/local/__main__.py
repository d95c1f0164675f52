"""The local model as a process: ``python -m switchgear.local --port N``."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from switchgear.local.model import LocalModelError
from switchgear.local.server import end_with, start

__all__ = ["main"]


def main() -> int:
    """Serve until SIGINT or SIGTERM; say ``ready URL`` on standard output once the model answers."""
    parser = argparse.ArgumentParser(prog="python -m switchgear.local", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0: one that is free")
    parser.add_argument("--with-parent", action="store_true", help="end when standard input ends")
    options = parser.parse_args()
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    if options.with_parent:
        end_with(sys.stdin.fileno())
    try:
        _server, url = start(options.port)
    except LocalModelError as error:
        sys.stderr.write(f"{error}\n")
        return 4
    sys.stdout.write(f"ready {url}\n")
    sys.stdout.flush()
    signal.sigwait(ends)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
