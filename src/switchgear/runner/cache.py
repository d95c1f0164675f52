"""Outputs of layers that serve later runs with the same key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, insert, select

from switchgear.runner.database import reading, writing
from switchgear.runner.tables import cache

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["LayerCache"]


class LayerCache:
    """Keeps one output for each layer and key: the newest."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine

    def get(self, layer: str, key: str, *, since: int) -> str | None:
        """Return the output (JSON text) kept since *since* (epoch microseconds) or later; None: there is none."""
        query = select(cache.c.output).where(cache.c.layer == layer, cache.c.key == key, cache.c.at >= since)
        with reading(self._engine) as connection:
            found: str | None = connection.execute(query).scalar()
        return found

    def put(self, layer: str, key: str, output: str, *, run: str, at: int) -> None:
        """Keep *output*, in the place of what was kept."""
        with writing(self._engine) as connection:
            connection.execute(delete(cache).where(cache.c.layer == layer, cache.c.key == key))
            connection.execute(insert(cache).values(layer=layer, key=key, output=output, run=run, at=at))
