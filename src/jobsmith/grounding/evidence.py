"""What may be said, and by which statement: the master CV's for its person, the posting's for its reader."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from jobsmith.grounding.tokens import normal, stem, tokens_of
from jobsmith.grounding.words import LIMITING, NEGATIONS, OPEN_END, ROUNDING
from jobsmith.sentences import sentences_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobsmith.cv import Entry, MasterCv
    from jobsmith.grounding.tokens import Token

__all__ = ["Evidence", "Source", "SourceKind"]

SourceKind = Literal["statement", "heading", "skills", "posting", "research"]

_QUOTING: Final = re.compile(r'you write: "(.+)"', re.IGNORECASE)
_LONGEST_NAME: Final = 100
_OF_A_POST: Final = frozenset(map(stem, ("job", "role", "position", "employed")))
_OF_STUDIES: Final = frozenset(map(stem, ("degree", "study", "education")))


class Source(NamedTuple):
    """One statement, with all that a sentence may take from it.

    Attributes:
        id: how documents cite it.
        text: what it says.
        tokens: its words and numbers.
        keys: their keys.
        around: keys of what it stands under, its entry's heading and dates.
        entry: the entry that it is part of; "" if none.
        is_current: its entry has not ended.
        limits: words in it that a sentence may not leave out.
        rounded: numbers in it that are not exact, each with the word that says so.
    """

    id: str
    kind: SourceKind
    text: str
    tokens: tuple[Token, ...]
    keys: frozenset[str]
    around: frozenset[str] = frozenset()
    entry: str = ""
    is_current: bool = True
    limits: frozenset[str] = frozenset()
    rounded: tuple[tuple[str, str], ...] = ()


class Evidence:
    """All sources for an application.

    Args:
        cv: whose it is.
        posting: what it is for; sentences about its reader may say what this says.
        research: what else is known of the company, by where it is from.
        company: as the posting names it; "" if it does not.
        role: as the posting names it; "" if it does not.
    """

    def __init__(
        self,
        cv: MasterCv,
        *,
        posting: str = "",
        research: Iterable[tuple[str, str]] = (),
        company: str = "",
        role: str = "",
    ) -> None:
        self.cv: Final = cv
        self.company: Final = _named_in(posting, company)
        self.role: Final = _named_in(posting, role)
        self.own: Final = tuple(_own(cv))
        self.skills: Final = {skill.id: tokens_of(skill.text) for skill in cv.skills}
        self.theirs: Final = (
            *_theirs("posting", "p", posting),
            *(source for at, (_, text) in enumerate(research, 1) for source in _theirs("research", f"r{at}.", text)),
        )
        self.exact: Final = _exact(cv)
        self._quotes: Final = {normal(source.text): source.id for source in self.theirs if source.kind == "posting"}

    def quoted(self, sentence: str) -> str | None:
        """Return the id of the posting's sentence that ``You write: "..."`` quotes; None if it quotes none."""
        match = _QUOTING.fullmatch(normal(sentence))
        return None if match is None else self._quotes.get(match[1])


def _own(cv: MasterCv) -> Iterable[Source]:
    for statement in cv.summary:
        yield _source(statement.id, "statement", statement.text)
    for entry in cv.entries:
        heading = f"{entry.heading} {entry.dates}"
        around = _keys(heading)
        words = _OF_STUDIES if entry.kind == "education" else _OF_A_POST if entry.kind == "experience" else frozenset()
        is_current = _is_current(entry)
        words |= {stem("since")} if is_current and entry.dates else frozenset()
        head = _source(entry.id, "heading", heading, entry=entry.id, is_current=is_current)
        yield head._replace(keys=head.keys | words)
        for said in entry.statements:
            yield _source(said.id, "statement", said.text, around=around | words, entry=entry.id, is_current=is_current)
    if cv.skills:
        yield _source("skills", "skills", ", ".join(skill.text for skill in cv.skills))._replace(limits=frozenset())


def _source(
    name: str,
    kind: SourceKind,
    text: str,
    *,
    around: frozenset[str] = frozenset(),
    entry: str = "",
    is_current: bool = True,
) -> Source:
    tokens = tokens_of(text)
    keys = frozenset(token.key for token in tokens)
    limits = {token.key for token in tokens if token.text.casefold() in LIMITING | NEGATIONS}
    # "led by Ann", "under Ann": somebody else did it.
    limits |= {
        token.key
        for token, after in itertools.pairwise(tokens)
        if token.text.casefold() in {"by", "under"} and after.kind == "name"
    }
    rounded = tuple(
        (number.key, token.key)
        for at, token in enumerate(tokens)
        if token.text.casefold() in ROUNDING
        for number in tokens[at + 1 : at + 3]
        if number.kind == "number"
    )
    return Source(name, kind, text, tokens, keys, around, entry, is_current, frozenset(limits), rounded)


def _theirs(kind: SourceKind, prefix: str, text: str) -> Iterable[Source]:
    for at, sentence in enumerate(sentences_of(text), 1):
        yield _source(f"{prefix}{at}", kind, sentence.lstrip("-*•# "))


def _keys(text: str) -> frozenset[str]:
    return frozenset(token.key for token in tokens_of(text))


def _is_current(entry: Entry) -> bool:
    return any(token.text.casefold() in OPEN_END for token in tokens_of(entry.dates)) or bool(
        re.search(r"[-\u2013\u2014]\s*$", entry.dates)
    )


def _exact(cv: MasterCv) -> dict[str, tuple[str, ...]]:
    """Return what documents copy as it is, with all places where it stands."""
    found: dict[str, list[str]] = {}
    said = [(cv.name, "name"), (cv.label, "label"), *((line, f"contact.{at}") for at, line in enumerate(cv.contact))]
    for entry in cv.entries:
        said += [(entry.heading, entry.id), (entry.dates, entry.id)]
    said += [(skill.text, skill.id) for skill in cv.skills]
    said += [(statement.text, statement.id) for statement in cv.statements()]
    for text, where in said:
        if text:
            found.setdefault(normal(text), []).append(where)
    return {text: tuple(places) for text, places in found.items()}


def _named_in(posting: str, name: str) -> str:
    """Return *name* if *posting* has it as one name, else ""."""
    name = normal(name).strip(" ,;:!?")
    if not 0 < len(name) <= _LONGEST_NAME or len(sentences_of(name)) > 1 or re.search(r"[!?;:]", name):
        return ""
    found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", normal(posting), re.IGNORECASE)
    return found[0] if found else ""
