"""What is wrong with a configuration, said in one line a problem: where, which key, what, the nearest word."""

from __future__ import annotations

import difflib
import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from switchgear.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["KeyPath", "Origin", "Problem", "Source", "dotted", "inside", "nearest", "shown"]

KeyPath = tuple[str | int, ...]
"""Where a value lies: keys of tables, and positions in lists from 0."""

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_VALUE: Final = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: the key that is wrong.
        text: what is wrong, without a full stop.
        near: the valid word that was most likely meant.
        variable: the environment variable at fault, where the key itself exists nowhere.
    """

    path: KeyPath
    text: str
    near: str | None = None
    variable: str | None = None


class Origin(NamedTuple):
    """Where a value comes from; *where*: file and line, or the variable.

    ``built in``: it belongs to a built-in service, or to every service that says nothing else.
    """

    kind: Literal["file", "environment", "built in", "default"]
    where: str | None


@dataclass(frozen=True, slots=True)
class Source:
    """Where a configuration comes from, so that a problem can be pointed at.

    Attributes:
        name: the file's name as the user wrote it.
        data: what was read, before any default.
        lines: the line of each key in the file.
        variables: the environment variable behind each key that has one.
    """

    name: str
    data: Mapping[str, object]
    lines: Mapping[KeyPath, int]
    variables: Mapping[KeyPath, str]

    def error(self, problems: Iterable[Problem]) -> ConfigError:
        """Return one error that tells all *problems*, one line each, in the order of the file; one a key."""
        first: dict[KeyPath | str, Problem] = {}
        for problem in problems:
            first.setdefault(problem.variable or problem.path, problem)
        return ConfigError("\n".join(line for _, line in sorted(map(self._told, first.values()))))

    def origin(self, path: KeyPath) -> Origin:
        """Return where the value at *path* comes from."""
        within = [path[:end] for end in range(len(path), 0, -1)]
        variable = next((self.variables[one] for one in within if one in self.variables), None)
        if variable is not None:
            return Origin("environment", variable)
        if path in self.lines:
            return Origin("file", f"{self.name}:{self.lines[path]}")
        value: object = self.data
        for part in path:
            value = inside(value, part)
        return Origin("default" if value is None else "built in", None)

    def _told(self, problem: Problem) -> tuple[int, str]:
        order, where = self._place(problem)
        words: Sequence[str] = [where, dotted(problem.path, self.data), problem.text]
        hint = f'; did you mean "{problem.near}"?' if problem.near else ""
        return order, ": ".join(word for word in words if word) + hint

    def _place(self, problem: Problem) -> tuple[int, str]:
        path = problem.path
        variable = problem.variable or next(
            (self.variables[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.variables), None
        )
        if variable is not None:
            return sys.maxsize, variable
        line = next((self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines), None)
        return (0, self.name) if line is None else (line, f"{self.name}:{line}")


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the one of *known* that *word* was most likely meant to be; None: none is *cutoff* alike, of 1."""
    by_fold = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=cutoff)
    return by_fold[found[0]] if found else None


def shown(value: object) -> str:
    """Return *value* as TOML would write it, on one line and not too long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def dotted(path: KeyPath, data: object = None) -> str:
    """Return *path* as one dotted key; an entry of a list goes by its name in *data*, or else by its number."""
    parts: list[str] = []
    for part in path:
        data = inside(data, part)
        if isinstance(part, int):
            name = data.get("name") if isinstance(data, dict) else None
            if isinstance(name, str) and name:
                parts.append(f".{_key(name)}")
            else:
                parts.append(f"[{part}]")
        else:
            parts.append(f".{_key(part)}")
    return "".join(parts).removeprefix(".")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else shown(name)


def inside(data: object, part: str | int) -> object:
    """Return what lies in *data* under *part*; None: nothing does."""
    if isinstance(data, dict):
        return data.get(part)
    if isinstance(data, list) and isinstance(part, int) and part < len(data):
        return data[part]
    return None
