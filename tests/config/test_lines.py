from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.config.lines import key_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from switchgear.config.problems import KeyPath

SAMPLE = '''\
# a comment = 1
title = """
[not.a.table]
fake = 1"""   # [[nor.this]]

[server]
host = 'a # b'
"odd key" = 1
[services.openai]
limits = { requests_per_minute = 5, breaker = { probes = 1 } }
prices."gpt-4o".input = "1"
fallback = [
  "a",  # ]
  "b]",
]
when = 2026-01-01 10:00:00

[[budgets]]
name = "one"
[[budgets]]
name = "two"
[budgets.match]
service = "x"
'''


def test_every_kind_of_key_is_found_on_its_line() -> None:
    """Headers, lists of tables, inline tables, dotted and quoted keys, and list entries all have their line."""
    lines = key_lines(SAMPLE)

    expected = {
        ("title",): 2,
        ("server",): 6,
        ("server", "host"): 7,
        ("server", "odd key"): 8,
        ("services",): 9,
        ("services", "openai"): 9,
        ("services", "openai", "limits", "requests_per_minute"): 10,
        ("services", "openai", "limits", "breaker", "probes"): 10,
        ("services", "openai", "prices", "gpt-4o", "input"): 11,
        ("services", "openai", "fallback"): 12,
        ("services", "openai", "fallback", 0): 13,
        ("services", "openai", "fallback", 1): 14,
        ("services", "openai", "when"): 16,
        ("budgets",): 18,
        ("budgets", 0, "name"): 19,
        ("budgets", 1): 20,
        ("budgets", 1, "name"): 21,
        ("budgets", 1, "match", "service"): 23,
    }
    assert expected == {path: lines.get(path) for path in expected}
    assert ("fake",) not in lines


def test_a_line_break_may_be_of_either_kind() -> None:
    """A file written on Windows has the same lines."""
    assert key_lines(SAMPLE.replace("\n", "\r\n")) == key_lines(SAMPLE)


def paths_of(data: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the path of everything in *data*."""
    if path:
        yield path
    if isinstance(data, dict):
        for key, value in data.items():
            yield from paths_of(value, (*path, key))
    elif isinstance(data, list):
        for at, value in enumerate(data):
            yield from paths_of(value, (*path, at))


KEYS = st.sampled_from(["a", "b-1", "c_", "9", "with space", "dot.ted", 'quo"te', "[x]", "#", "ü", ""])
SCALARS = st.sampled_from(
    [
        *("1", "-2.5e3", "true", "inf", "0xff", "2026-01-01", "2026-01-01 10:00:00.5", "10:00:00"),
        *('""', "''", '"#"', "'\\'", r'"\"]\u00e9"', '"""\n[a]\nb = 1"""', "'''''two'''", '"""a""\\""""', "'''\n'''''"),
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
TABLES = st.recursive(
    st.dictionaries(KEYS, SCALARS, max_size=3),
    lambda inner: st.dictionaries(KEYS, VALUES | inner | st.lists(inner, min_size=1, max_size=2), max_size=4),
    max_leaves=8,
)


class Writer:
    """Writes data as TOML in a notation that *draw* chooses, and keeps the line of each key."""

    def __init__(self, draw: Callable[[st.SearchStrategy[str]], str]) -> None:
        self.draw = draw
        self.text = ""
        self.lines: dict[KeyPath, int] = {}

    def put(self, text: str) -> None:
        """Write *text* as it is."""
        self.text += text

    def note(self, path: KeyPath) -> None:
        """Remember that *path* begins here, unless it began before."""
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def choose(self, *options: str) -> str:
        """Return one of *options*."""
        return self.draw(st.sampled_from(options))

    def key(self, name: str) -> str:
        """Return *name* as a key of TOML."""
        return name if name.isascii() and name.isalnum() else json.dumps(name, ensure_ascii=False)

    def table(self, data: dict[str, Any], path: KeyPath, header: str) -> None:
        """Write the table *data*: its plain values first, then the tables below it."""
        later: list[tuple[str, Any]] = []
        for name, value in data.items():
            is_list = isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value)
            if (isinstance(value, dict) or is_list) and self.choose("inline", "header") == "header":
                later.append((name, value))
                continue
            self.put(self.choose("", "\n", "  ", "# [c]\n"))
            self.note((*path, name))
            self.put(f"{self.key(name)}{self.choose('', ' ')}= ")
            self.value(value, (*path, name))
            self.put(self.choose("\n", " # c = 1\n"))
        for name, value in later:
            below = f"{header}.{self.key(name)}".removeprefix(".") if header else self.key(name)
            for at, entry in enumerate(value) if isinstance(value, list) else [(None, value)]:
                here = (*path, name)
                self.note(here)
                if at is not None:
                    here = (*here, at)
                    self.note(here)
                self.put(f"[[{below}]]\n" if at is not None else f"[ {below} ]\n")
                self.table(entry, here, below)

    def value(self, value: object, path: KeyPath) -> None:
        """Write *value* inline."""
        if isinstance(value, str):
            self.put(value)
        elif isinstance(value, list):
            self.put(self.choose("[", "[\n", "[ # ]\n"))
            for at, entry in enumerate(value):
                self.note((*path, at))
                self.value(entry, (*path, at))
                self.put(self.choose(",", " , # x\n"))
            self.put("]")
        elif isinstance(value, dict):
            self.put("{")
            for at, (name, entry) in enumerate(value.items()):
                self.put(", " if at else " ")
                self.note((*path, name))
                self.put(f"{self.key(name)} = ")
                self.value(entry, (*path, name))
            self.put("}")


@settings(max_examples=80, deadline=None)
@given(TABLES, st.data())
def test_whatever_tomllib_reads_has_the_line_it_was_written_on(data: dict[str, Any], draw: st.DataObject) -> None:
    """For any data in any notation, each key that tomllib finds is known with the line that it was written on."""
    writer = Writer(draw.draw)
    writer.table(data, (), "")

    parsed = tomllib.loads(writer.text)

    assert set(key_lines(writer.text)) == set(paths_of(parsed))
    assert key_lines(writer.text) == writer.lines
