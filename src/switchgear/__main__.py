"""``python -m switchgear``: the same as the command ``switchgear``."""

from __future__ import annotations

import sys

from switchgear.cli import main

if __name__ == "__main__":
    sys.exit(main())
