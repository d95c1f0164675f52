"""Where the live numbers are kept."""

from __future__ import annotations
