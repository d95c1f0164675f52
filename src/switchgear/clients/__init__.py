"""Ways in for Python."""

from __future__ import annotations
