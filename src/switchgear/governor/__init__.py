"""The gate, and what it is built from."""

from __future__ import annotations
