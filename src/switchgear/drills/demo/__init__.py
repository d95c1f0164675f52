"""The demo: a real model, a real server, real traffic through the providers' own clients, and a count at both ends."""

from __future__ import annotations
