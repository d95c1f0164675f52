"""The sandbox as a process: ``python -m switchgear.drills.sandbox --port N``."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from switchgear.drills.sandbox.server import Sandbox

__all__ = ["main"]


def main() -> int:
    """Serve until SIGINT or SIGTERM; say ``ready URL`` on standard output once it answers."""
    parser = argparse.ArgumentParser(prog="python -m switchgear.drills.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0: one that is free")
    parser.add_argument("--require-key", help="answer 401 to requests that don't bear this key")
    options = parser.parse_args()
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        with Sandbox(port=options.port, require_key=options.require_key) as sandbox:
            sys.stdout.write(f"ready {sandbox.url}\n")
            sys.stdout.flush()
            signal.sigwait(ends)
    except OSError as error:
        sys.stderr.write(f"can't listen on 127.0.0.1:{options.port}: {os.strerror(error.errno or 0)}\n")
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
