"""The history of the schema, for Alembic: added to, never edited."""

from __future__ import annotations
