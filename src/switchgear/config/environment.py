"""Settings from environment variables: ``SWITCHGEAR_SERVER__PORT=8401`` is ``port`` in ``[server]``.

A variable's parts are parted by two underscores and read without regard to case. A name that the user chose
(a service, a budget, a model) may have ``_`` for each character that a variable can't have.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

from switchgear.config.problems import Problem, inside, nearest
from switchgear.config.shape import is_text, keys_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchgear.config.problems import KeyPath

__all__ = ["PREFIX", "Overlay", "overlay"]

PREFIX: Final = "SWITCHGEAR_"
_ELSEWHERE: Final = frozenset(  # the command line reads these
    {"SWITCHGEAR_CONFIG", "SWITCHGEAR_URL", "SWITCHGEAR_USER", "SWITCHGEAR_PASSWORD"}
)


class Overlay:
    """Lays variables over what a file said.

    Attributes:
        variables: the variable behind each key that got its value from one.
        problems: what is wrong with the variables themselves.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self.variables: dict[KeyPath, str] = {}
        self.problems: list[Problem] = []

    def set(self, variable: str, value: str) -> None:
        """Put *value* where *variable* points."""
        parts = variable.removeprefix(PREFIX).lower().split("__")
        if self._strays(variable, parts):
            return
        if parts[2:4] == ["match", "tag"]:
            parts[3:] = [".".join(parts[3:])]
        path: KeyPath = ()
        for part in parts:
            key = self._key(path, part, variable)
            if key is None:
                return
            path = (*path, key)
        table: Any = self._data
        for key, below in itertools.pairwise(path):
            table = table[key] if isinstance(key, int) else table.setdefault(key, {})
            if not isinstance(table, list if isinstance(below, int) else dict):
                return  # the file has a value of another kind here, which is told where it stands
        table[path[-1]] = _parsed(value, path)
        self.variables[path] = variable

    def _strays(self, variable: str, parts: list[str]) -> bool:
        sections = keys_at(()) or ()
        if parts[0] in sections:
            return False
        near = nearest(parts[0], sections)
        if len(parts) > 1:
            rest = "__".join(parts[1:])
            self._complain(variable, "unknown section", near and f"{PREFIX}{near}__{rest}".upper())
        elif section := next((name for name in sections if parts[0].startswith(f"{name}_")), None):
            key = parts[0].removeprefix(f"{section}_")
            self._complain(variable, "unknown variable", f"{PREFIX}{section}__{key}".upper())
        return True

    def _key(self, path: KeyPath, part: str, variable: str) -> str | int | None:
        known = keys_at(path)
        if known is not None:
            if part in known:
                return part
            near = nearest(part, known)
            start = variable.upper().removesuffix(part.upper())
            self._complain(variable, "unknown key", near and f"{start}{near.upper()}")
            return None
        names = self._names(path)
        matching = [key for key, name in names.items() if _plain(name) == _plain(part)]
        if len(matching) > 1:
            both = " and ".join(f'"{names[key]}"' for key in matching)
            self._complain(variable, f'"{part}" may mean {both}', None)
            return None
        if matching:
            return matching[0]
        if path in {("services",), ("budgets",)}:
            one = str(path[0]).removesuffix("s")
            self._complain(variable, f'unknown {one} "{part}"', nearest(part, names.values()))
            return None
        return part

    def _names(self, path: KeyPath) -> dict[str | int, str]:
        table: object = self._data
        for key in path:
            table = inside(table, key)
        if isinstance(table, list):
            names = ((at, inside(entry, "name")) for at, entry in enumerate(table))
            return {at: name for at, name in names if isinstance(name, str)}
        return {key: key for key in table} if isinstance(table, dict) else {}

    def _complain(self, variable: str, text: str, near: str | None) -> None:
        self.problems.append(Problem((), text, near, variable))


def overlay(data: dict[str, Any], environ: Mapping[str, str]) -> Overlay:
    """Lay every variable of *environ* that is a setting over *data*, in place."""
    laid = Overlay(data)
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in _ELSEWHERE:
            laid.set(variable, environ[variable])
    return laid


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", name.casefold())


def _parsed(value: str, path: KeyPath) -> object:
    try:
        parsed = tomllib.loads(f"value = {value}")
    except (ValueError, RecursionError):
        return value
    if parsed.keys() != {"value"}:
        return value  # a line break in it began another key
    inner: object = parsed["value"]
    return value if is_text(path) and not isinstance(inner, str) else inner
