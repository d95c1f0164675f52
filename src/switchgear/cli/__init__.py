"""The command line. This module is all that ``switchgear --version`` loads, so it imports next to nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in *arguments* (None: those of the process) and return its exit code.

    0 ok, 1 a bug, 2 usage or configuration, 3 a check failed, 4 not reachable, 5 refused by policy,
    130 interrupted.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words in (["--version"], ["version"]):
        from switchgear.version import __version__

        sys.stdout.write(f"switchgear {__version__}\n")
        return 0
    from switchgear.cli.errors import run
    from switchgear.cli.root import root

    return run(root, words)
