"""The rules: time and state come in, a decision goes out."""

from __future__ import annotations
