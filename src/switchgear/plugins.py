"""What other packages add: they declare an entry point, and the configuration may name it.

Nothing is looked for as long as the configuration names nothing but what is built in.
"""

from __future__ import annotations

import functools
from importlib.metadata import entry_points
from typing import Any, Literal

from switchgear.errors import ConfigError

__all__ = ["Group", "load", "names"]

Group = Literal["switchgear.channels", "switchgear.dialects", "switchgear.states"]
"""The groups of entry points: what tells of alerts, what reads a provider's format, what keeps the live numbers."""


def names(group: Group) -> frozenset[str]:
    """Return what installed packages offer in *group*."""
    return frozenset(one.name for one in entry_points(group=group))


@functools.cache
def load(group: Group, name: str) -> Any:  # noqa: ANN401 - each group has its own contract, see docs/extending.md
    """Return what *name* of *group* stands for.

    Raises:
        ConfigError: no package offers it, or it can't be imported.
    """
    found = next(iter(entry_points(group=group, name=name)), None)
    if found is None:
        msg = f"no installed package offers {name!r} among its {group}"
        raise ConfigError(msg)
    try:
        return found.load()
    except (ImportError, AttributeError) as error:
        msg = f"{name!r} of {group} can't be imported from {found.value}: {error}"
        raise ConfigError(msg) from error
