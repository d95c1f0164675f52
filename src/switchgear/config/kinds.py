"""Words that name an implementation: the built-in ones, and those that installed packages add."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear import plugins
from switchgear.config.problems import Problem, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.config.problems import KeyPath

__all__ = ["CHANNELS", "KINDS", "kind_problems"]

KINDS: Final = ("openai", "anthropic", "http")
"""Wire formats of services."""

CHANNELS: Final = ("webhook", "alertmanager", "apprise")
"""Ways to tell somebody of alerts."""


def kind_problems(path: KeyPath, kind: str, built_in: tuple[str, ...], group: plugins.Group) -> Iterator[Problem]:
    """Yield a problem if *kind* is neither *built_in* nor offered by an installed package in *group*."""
    if kind in built_in:
        return
    known = (*built_in, *sorted(plugins.names(group)))
    if kind not in known:
        yield Problem(path, f"must be one of {', '.join(known)}, not {shown(kind)}", nearest(kind, known))
