"""The verifier: each sentence of a document with its source, or with what no source says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict

from jobsmith.grounding.frames import addresses_reader, is_frame, is_neutral
from jobsmith.grounding.support import support
from jobsmith.grounding.tokens import normal, tokens_of
from jobsmith.grounding.words import LIMITING
from jobsmith.sentences import sentences_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jobsmith.grounding.evidence import Evidence, Source
    from jobsmith.grounding.support import Support
    from jobsmith.grounding.tokens import Token

__all__ = ["Checked", "Document", "Ground", "Problem", "check_line", "check_sentence"]

Document = Literal["cv", "letter"]
Ground = Literal["copied", "cv", "posting", "research", "frame", "neutral", "refused"]
"""By what a sentence is supported; *refused*: by nothing."""

_PARTS: Final = re.compile(r";\s+|,\s+(?:and\s+|while\s+)|\s+(?:and|while)\s+")
_AT: Final = frozenset({"at", "for", "with", "joined", "join", "left"})
_MOST_PARTS: Final = 4
_MOST_CUTS: Final = 8


_Kind = Literal["number", "date", "employer", "skill", "name", "claim", "twist"]


class Problem(BaseModel):
    """What is not supported: a *number*, *date*, *employer*, *skill*, *name* or *claim*, or a *twist* of what is."""

    model_config = ConfigDict(frozen=True)

    kind: _Kind
    text: str


class Checked(BaseModel):
    """A sentence and its sources: ids of statements of the CV (``e2.1``), or of sentences of the posting (``p3``)."""

    model_config = ConfigDict(frozen=True)

    document: Document
    text: str
    ground: Ground
    sources: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def is_grounded(self) -> bool:
        """Whether it may be said."""
        return self.ground != "refused"


def check_line(line: str, evidence: Evidence, *, document: Document) -> tuple[Checked, ...]:
    """Return what *line* says, sentence by sentence; what is copied from the CV as it is needs no cutting."""
    where = evidence.exact.get(normal(line))
    if where is not None:
        return (Checked(document=document, text=line, ground="copied", sources=where),)
    return tuple(check_sentence(sentence, evidence, document=document) for sentence in sentences_of(line))


def check_sentence(sentence: str, evidence: Evidence, *, document: Document) -> Checked:
    """Return *sentence* with its sources.

    A CV is about its person alone. In a letter a sentence may also be about its reader, by the posting or by
    research, if it says nothing of its writer.
    """
    ground, sources = _ground(sentence, evidence, document)
    problems = _problems(sentence, evidence) if ground == "refused" else ()
    return Checked(document=document, text=sentence, ground=ground, sources=sources, problems=problems)


def _ground(sentence: str, evidence: Evidence, document: Document) -> tuple[Ground, tuple[str, ...]]:
    copied = evidence.exact.get(normal(sentence))
    if copied is not None:
        return "copied", copied
    is_letter = document == "letter"
    if is_letter and (quoted := evidence.quoted(sentence)) is not None:
        return "posting", (quoted,)
    if is_letter and (is_frame(sentence, evidence) or is_neutral(sentence)):
        return "frame" if is_frame(sentence, evidence) else "neutral", ()
    if own := _by_cv(sentence, evidence):
        return "cv", own
    theirs = _by_reader(sentence, evidence) if is_letter else None
    if theirs is not None:
        return "posting" if theirs.kind == "posting" else "research", (theirs.id,)
    return "refused", ()


def _by_reader(sentence: str, evidence: Evidence) -> Source | None:
    """Return what of the reader's side supports a sentence that is about the reader alone."""
    if not addresses_reader(sentence, evidence):
        return None
    tokens = _without_names(tokens_of(sentence), evidence)
    return next((source for source in evidence.theirs if support(tokens, source).holds), None)


def _by_cv(sentence: str, evidence: Evidence) -> tuple[str, ...]:
    """Return the ids of the CV's statements that support *sentence*; () if none do."""
    tokens = tokens_of(sentence)
    if all(token.neutral for token in tokens):
        return ()
    whole = _one_source(tokens, evidence)
    if whole is not None:
        return (whole[0].id,)
    known = _divided(normal(sentence), evidence, is_first=True, left=_MOST_PARTS)
    # "At Globex I did this and that": both are said to be Globex's.
    if any(how.uses_heading for _, how in known) and len({source.entry for source, _ in known}) > 1:
        return ()
    return tuple(dict.fromkeys(source.id for source, _ in known))


def _divided(text: str, evidence: Evidence, *, is_first: bool, left: int) -> list[tuple[Source, Support]]:
    """Return what supports the parts of *text*, the first as long as can be; [] if there is no such division."""
    cuts = [(match.start(), match.end()) for match in _PARTS.finditer(text)][:_MOST_CUTS]
    for start, end in reversed(cuts):
        head = _part(text[:start], evidence, is_first=is_first)
        if head is None:
            continue
        tail = text[end:]
        last = _part(tail, evidence, is_first=False)
        if last is not None:
            return [head, last]
        more = _divided(tail, evidence, is_first=False, left=left - 1) if left > 2 else []  # noqa: PLR2004 - two parts are the fewest
        if more:
            return [head, *more]
    return []


def _part(part: str, evidence: Evidence, *, is_first: bool) -> tuple[Source, Support] | None:
    """Return what supports one of several parts of a sentence.

    A later part must have a doer or doing of its own: else "I led the team and payroll" would lead payroll too.
    """
    tokens = tokens_of(part)
    if all(token.neutral for token in tokens):
        return None
    found = _one_source(tokens, evidence)
    if found is None or is_first or re.match(r"(?:i|also i)\b", part, re.IGNORECASE):
        return found
    first = next(token for token in tokens if not token.neutral)
    own = found[0].tokens
    return found if own and first.key == own[0].key else None


def _one_source(tokens: Sequence[Token], evidence: Evidence) -> tuple[Source, Support] | None:
    for source in evidence.own:
        found = support(tokens, source)
        if found.holds and (source.kind != "skills" or _levels_kept(tokens, evidence)):
            return source, found
    return None


def _levels_kept(tokens: Sequence[Token], evidence: Evidence) -> bool:
    """Return whether no skill is named without the level that makes it smaller, or with that of another."""
    said = {token.key for token in tokens}
    levels = {token.key for skill in evidence.cv.skills for token in tokens_of(skill.level)}
    kept: set[str] = set()
    for skill in evidence.cv.skills:
        name = {token.key for token in tokens_of(skill.name)}
        level = {token.key for token in tokens_of(skill.level)}
        is_less = any(token.text.casefold() in LIMITING for token in tokens_of(skill.level))
        if is_less and name <= said and not level <= said:
            return False
        kept |= {token.key for token in tokens_of(skill.text)} if name <= said else set()
    return not (said & levels) - kept


def _without_names(tokens: Sequence[Token], evidence: Evidence) -> list[Token]:
    """Return *tokens* without the reader's company and role: a sentence about the reader may name both."""
    named = {token.key for token in (*tokens_of(evidence.company), *tokens_of(evidence.role))}
    return [token for token in tokens if token.key not in named]


def _problems(sentence: str, evidence: Evidence) -> tuple[Problem, ...]:
    """Return what stands in the way at the source that comes nearest."""
    tokens = tokens_of(sentence)
    tries = [support(tokens, source) for source in evidence.own]
    best = min(tries, key=lambda one: (len(one.missing), len(one.wrong)), default=None)
    if best is None:
        return (Problem(kind="claim", text=sentence),)
    found = [Problem(kind=_kind(token, tokens, evidence), text=token.text) for token in best.missing]
    found += [Problem(kind="twist", text=said) for said in best.wrong]
    return tuple(found) or (Problem(kind="twist", text="it joins what the CV does not join"),)


def _kind(token: Token, tokens: Iterable[Token], evidence: Evidence) -> _Kind:
    if token.kind in {"number", "date"}:
        return "number" if token.kind == "number" else "date"
    if token.kind == "word":
        return "claim"
    before = next((one for one in tokens if one.place == token.place - 1), None)
    if before is not None and before.text.casefold() in _AT:
        return "employer"
    in_posting = any(token.key in source.keys for source in evidence.theirs)
    return "skill" if in_posting or not token.text.isalpha() else "name"
