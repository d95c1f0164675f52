"""Names that the user types: known, or an error that says which ones are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["refuse_unknown"]


def refuse_unknown(what: str, name: str, known: Collection[str]) -> NoReturn:
    """Raise the error for *name*, which is no *what*, with the nearest of *known* or all of them."""
    from switchgear.config.problems import nearest

    near = nearest(name, known)
    if near:
        hint = f"did you mean {near!r}?"
    else:
        hint = f"known are {', '.join(sorted(known))}." if known else "none is configured."
    msg = f"there is no {what} {name!r}; {hint}"
    raise click.ClickException(msg)
