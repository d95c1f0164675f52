"""The master CV: all that may ever be said of its person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Entry", "EntryKind", "MasterCv", "Skill", "Statement"]

EntryKind = Literal["experience", "education", "project", "other"]


class _Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Statement(_Noun):
    """One thing that the CV says, with the *id* that documents cite it by, such as ``e2.1``."""

    id: str
    text: str


class Skill(_Noun):
    """A skill or language; *level* is what the CV says of how well, ``""`` if nothing."""

    id: str
    name: str
    level: str = ""

    @property
    def text(self) -> str:
        """How a document shows it."""
        return f"{self.name} ({self.level})" if self.level else self.name


class Entry(_Noun):
    """A post, a degree, a project: *heading* and *dates* as the CV has them, and what it says below."""

    id: str
    kind: EntryKind
    heading: str
    dates: str = ""
    statements: tuple[Statement, ...] = ()


class MasterCv(_Noun):
    """A person's CV. *contact* are lines such as an address, a number, a link."""

    name: str
    label: str = ""
    contact: tuple[str, ...] = ()
    summary: tuple[Statement, ...] = ()
    entries: tuple[Entry, ...] = ()
    skills: tuple[Skill, ...] = ()

    def of_kind(self, kind: EntryKind) -> tuple[Entry, ...]:
        """Return the entries of *kind* in the CV's order."""
        return tuple(entry for entry in self.entries if entry.kind == kind)

    def statements(self) -> Iterator[Statement]:
        """Yield what the summary and all entries say."""
        yield from self.summary
        for entry in self.entries:
            yield from entry.statements
