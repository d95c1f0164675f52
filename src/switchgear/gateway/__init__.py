"""The way in for everything that speaks HTTP: the reverse proxy."""

from __future__ import annotations
