"""Which line each key of a TOML text is on, which ``tomllib`` does not tell."""

from __future__ import annotations

import bisect
import re
import tomllib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from switchgear.config.problems import KeyPath

__all__ = ["key_lines"]

_BLANK: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_STRING: Final = re.compile(
    r'"""(?:[^"\\]|\\[\s\S]|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
)
_SCALAR: Final = re.compile(r"[^\s,\]}#]+(?: [0-9][^\s,\]}#]*)?")  # a space may stand inside a date and time


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, from 1, on which each table, key and list entry of *text* begins.

    *text* must be what ``tomllib`` accepts; of anything else the answer is of no use.
    """
    return _Scanner(text.replace("\r\n", "\n")).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.entries: dict[KeyPath, int] = {}  # how many [[...]] each list of tables has so far
        self.newlines = [match.start() for match in re.finditer("\n", text)]

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self.skip(_BLANK)
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self.header()
            else:
                self.pair(table)
            self.skip(_BLANK)
        return self.lines

    def skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            return ""
        self.at = match.end()
        return match[0]

    def note(self, path: KeyPath, start: int) -> None:
        for end in range(1, len(path) + 1):
            self.lines.setdefault(path[:end], bisect.bisect_left(self.newlines, start) + 1)

    def header(self) -> KeyPath:
        start = self.at
        is_list = self.text.startswith("[[", self.at)
        self.at += 2 if is_list else 1
        key = self.key()
        self.at += 2 if is_list else 1
        path: KeyPath = ()
        for part in key[:-1]:
            path = self.newest((*path, part))
        path = (*path, key[-1])
        if is_list:
            number = self.entries.get(path, 0)
            self.entries[path] = number + 1
            self.note(path, start)
            path = (*path, number)
        else:
            path = self.newest(path)
        self.note(path, start)
        return path

    def newest(self, path: KeyPath) -> KeyPath:
        return (*path, self.entries[path] - 1) if path in self.entries else path

    def key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self.skip(_SPACE)
            bare = self.skip(_BARE_KEY)
            parts.append(bare or tomllib.loads(f"key = {self.skip(_STRING)}")["key"])
            self.skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def pair(self, table: KeyPath) -> None:
        start = self.at
        path = (*table, *self.key())
        self.note(path, start)
        self.at += 1  # the equals sign
        self.skip(_SPACE)
        self.value(path)

    def value(self, path: KeyPath) -> None:
        mark = self.text[self.at : self.at + 1]
        if mark == "[":
            self.collection(path, "]")
        elif mark == "{":
            self.collection(path, "}")
        elif mark in {'"', "'"}:
            self.skip(_STRING)
        else:
            self.skip(_SCALAR)

    def collection(self, path: KeyPath, end: str) -> None:
        self.at += 1
        number = 0
        self.skip(_BLANK)
        while not self.text.startswith(end, self.at):
            if end == "}":
                self.pair(path)
            else:
                self.note((*path, number), self.at)
                self.value((*path, number))
                number += 1
            self.skip(_BLANK)
            if self.text.startswith(",", self.at):
                self.at += 1
                self.skip(_BLANK)
        self.at += 1
