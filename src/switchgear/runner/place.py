"""Where a worker is: enough to see at once that one on the same machine has died, and never to think so wrongly."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Place", "gone", "here", "new_worker"]

_LONGEST_HOST: Final = 200


class Place(NamedTuple):
    """A process: its host, the numbering of processes that holds there (a container has its own), its number."""

    host: str
    space: str
    pid: int


def here() -> Place:
    """Return where this process is."""
    return Place(socket.gethostname()[:_LONGEST_HOST], _space(), os.getpid())


def new_worker() -> str:
    """Return a name for a worker that none had before: a restarted process is another worker."""
    return f"{os.getpid()}-{secrets.token_hex(8)}"


def gone(host: str, space: str, pid: int) -> bool:
    """Tell whether the process at this place is known to have ended; False: it may be there."""
    mine = here()
    if (host, space) != (mine.host, mine.space) or not space:
        return False
    if pid == mine.pid:
        return True  # this process is another worker, so that one was here before it
    try:
        os.kill(pid, 0)
        # A killed process whose parent has not looked yet is still numbered.
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
            in "ZX"
        )
    except (ProcessLookupError, FileNotFoundError):
        return True
    except OSError:
        return False


def _space() -> str:
    """Return the boot and the process numbering of this machine; empty where it can't be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
