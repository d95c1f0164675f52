"""A tag of an attempt as a value that a query can compare, in the words of each engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Text, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.sql.compiler import SQLCompiler

__all__ = ["tag_value"]


class _TagValue(FunctionElement[str]):
    """The value of a name in a column that holds a JSON object as text; NULL: it is not there."""

    name = "tag_value"
    type = Text()
    inherit_cache = True


def tag_value(tags: ColumnElement[str], name: str) -> ColumnElement[str | None]:
    """Return what the JSON object in *tags* has under *name*."""
    return cast("ColumnElement[str | None]", _TagValue(tags, literal(name, Text)))


@compiles(_TagValue, "sqlite")
def _on_sqlite(element: _TagValue, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - as SQLAlchemy has it
    # json_extract would need a path, and no quoting of paths takes every name.
    tags, name = (compiler.process(clause, **options) for clause in element.clauses)
    return f"(SELECT value FROM json_each({tags}) WHERE key = {name} LIMIT 1)"  # noqa: S608 - compiled clauses


@compiles(_TagValue, "postgresql")
def _on_postgres(element: _TagValue, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - as above
    tags, name = (compiler.process(clause, **options) for clause in element.clauses)
    return f"(CAST({tags} AS JSONB) ->> {name})"
