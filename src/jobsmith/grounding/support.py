"""Whether one statement supports one sentence."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, NamedTuple

from jobsmith.grounding.tokens import is_doing
from jobsmith.grounding.words import ARTICLES, OTHERS, PRESENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jobsmith.grounding.evidence import Source
    from jobsmith.grounding.tokens import Token

__all__ = ["Support", "support"]

_NEAR: Final = 4
_DIRECTIONS: Final = frozenset({"from", "to", "into", "by", "under", "below", "above"})
_INTRODUCING: Final = frozenset({"at", "as", "for", "with", "in", "from", "to", "since", "until", "between", "during"})
_BETWEEN: Final = frozenset({"in", "for", "with", "from", "to", "by", "at", "on", "after", "during", "within", "into"})
_GROUPS: Final = frozenset({"team", "group", "class", "department", "staff", "crew", "board", "family", "set"})
_BEING: Final = frozenset({"is", "are", "was", "were", "be", "been"})
_PLACES: Final = frozenset({"at", "for"})


class Support(NamedTuple):
    """What is missing for a sentence to be said by a statement: nothing, if both are empty.

    Attributes:
        missing: tokens that the statement does not have.
        wrong: what is twisted, in words.
        uses_heading: the sentence says whose, where or when, as the statement's heading does.
    """

    missing: tuple[Token, ...] = ()
    wrong: tuple[str, ...] = ()
    uses_heading: bool = False

    @property
    def holds(self) -> bool:
        """Whether the statement supports the sentence."""
        return not self.missing and not self.wrong


def support(tokens: Sequence[Token], source: Source) -> Support:
    """Return whether *source* says all that *tokens* do."""
    claims = [token for token in tokens if not token.neutral]
    missing = tuple(token for token in claims if not _has(source, token))
    from_heading = [token for token in claims if token.key in source.around and token.key not in source.keys]
    uses_heading = bool(from_heading) or source.kind == "heading"
    if missing:
        return Support(missing, (), uses_heading)
    others = {token.key for token in tokens if token.text.casefold() in OTHERS} - source.keys
    starts = tokens[0].kind == "name" and source.kind == "statement" and tokens[0].key != source.tokens[0].key
    if (others or starts) and source.kind in {"statement", "heading", "skills"}:
        return Support((), ("it speaks of somebody else",), uses_heading)
    inner = [token for token in claims if token.key in source.keys]
    wrong = [
        *_left_out(tokens, source),
        *_numbers(tokens, inner, source),
        *_clauses(inner, source),
        *_headed(tokens, source),
        *_objects(tokens, source),
        *_order(tokens, source),
        *_directions(tokens, source),
        *_places(tokens, source),
    ]
    if uses_heading and not source.is_current and any(token.text.casefold() in PRESENT for token in tokens):
        wrong.append("it says so of today, and the CV of the past")
    return Support((), tuple(wrong), uses_heading)


def _has(source: Source, token: Token) -> bool:
    if token.kind == "number":
        return any(_same(token, other) for other in source.tokens) or (not token.unit and token.key in source.around)
    return token.key in source.keys or token.key in source.around


def _same(one: Token, other: Token) -> bool:
    return one.key == other.key and one.unit == other.unit and other.kind in {"number", "date"}


def _left_out(tokens: Sequence[Token], source: Source) -> Iterable[str]:
    if not any(token.key in source.keys and not token.neutral for token in tokens):
        return
    said = {token.key for token in tokens}
    for key in sorted(source.limits - said):
        yield f"it leaves out {_written(source, key)!r}"
    for number, key in source.rounded:
        if number in said and key not in said:
            yield f"it leaves out {_written(source, key)!r}"


def _numbers(tokens: Sequence[Token], inner: Sequence[Token], source: Source) -> Iterable[str]:
    """Each number goes with what it goes with in the source: the same part of a sentence, the same thing counted."""
    for number in inner:
        if number.kind != "number":
            continue
        beside = [one for one in inner if one.segment == number.segment and one is not number]
        spots = [one for one in source.tokens if _same(number, one)]
        counted = _next_claim(tokens, number)
        if not any(_fits(spot, beside, counted, source) for spot in spots):
            yield f"{number.text!r} goes with something else in the CV"


def _fits(spot: Token, beside: Sequence[Token], counted: Token | None, source: Source) -> bool:
    same_part = {token.key for token in source.tokens if token.segment == spot.segment} | source.around
    if not all(token.key in same_part for token in beside):
        return False
    if counted is None or counted.key not in source.keys:
        return True
    goes_on = _next_claim(source.tokens, spot) is not None
    gaps = (one.place - spot.place for one in source.tokens if one.key == counted.key and one.segment == spot.segment)
    return any(0 < gap <= _NEAR if goes_on else -_NEAR <= gap < 0 for gap in gaps)


def _next_claim(tokens: Sequence[Token], number: Token) -> Token | None:
    after = (token for token in tokens if token.place > number.place and token.segment == number.segment)
    return next((token for token in after if not token.neutral), None)


def _clauses(inner: Sequence[Token], source: Source) -> Iterable[str]:
    """What is said in one breath is done in one breath: who hired engineers and fired agents fired no engineers."""
    parts: dict[int, list[Token]] = {}
    for token in inner:
        parts.setdefault(token.segment, []).append(token)
    theirs = _clause_of(source.tokens)
    for said in parts.values():
        places = [{theirs[one.place] for one in source.tokens if one.key == token.key} for token in said]
        if places and not set.intersection(*places):
            yield f"it joins {said[0].text!r} to what it does not go with in the CV"


def _clause_of(tokens: Sequence[Token]) -> list[int]:
    """Return for each token the clause that it is in: a part of the sentence with a doing of its own, and its list."""
    found: list[int] = []
    clause, segment = 0, 0
    for token in tokens:
        if token.segment != segment and not token.neutral:
            clause, segment = clause + is_doing(token), token.segment
        found.append(clause)
    return found


def _objects(tokens: Sequence[Token], source: Source) -> Iterable[str]:
    """What directly follows a doing is its object there too: "taught wound care to nurses" does not teach nurses."""
    for at, verb in enumerate(tokens):
        if not is_doing(verb) or verb.key not in source.keys:
            continue
        rest = [one for one in tokens[at + 1 :] if one.segment == verb.segment]
        after = next((one for one in rest if not one.neutral or one.text.casefold() in _BETWEEN | _BEING), None)
        if after is None or after.neutral or after.key not in source.keys:
            continue
        spots = [one.place for one in source.tokens if one.key == verb.key]
        goals = [one.place for one in source.tokens if one.key == after.key]
        is_part = any(one.text.casefold() == "of" for one in tokens[at + 1 : after.place])
        if not any(_direct(source, spot, goal, is_part=is_part) for spot in spots for goal in goals):
            yield f"it says {verb.text} {after.text!r}, and the CV does not"


def _direct(source: Source, verb: int, goal: int, *, is_part: bool) -> bool:
    """Return whether nothing stands between the two that would make the second less than an object of the first.

    *is_part*: the sentence itself has it as a part of the object.
    """
    between = source.tokens[verb + 1 : goal]
    words = [one.text.casefold() for one in between]
    parts = not is_part and any(
        word == "of" and at > 0 and words[at - 1] not in _GROUPS for at, word in enumerate(words)
    )
    return verb < goal and not parts and _BETWEEN.isdisjoint(words)


def _headed(tokens: Sequence[Token], source: Source) -> Iterable[str]:
    """A heading says where, as what and when; whoever it names is not what was done."""
    before = ""
    for token in tokens:
        is_head = token.key in source.around and token.key not in source.keys and not token.neutral
        if is_head and token.kind in {"name", "word"} and before not in _INTRODUCING:
            yield f"it says {token.text!r} where the CV does not"
        if token.text.casefold() not in ARTICLES and not is_head:
            before = token.text.casefold()


def _order(tokens: Sequence[Token], source: Source) -> Iterable[str]:
    """Numbers that stand together, as in "8 of 11", stand so in the source."""
    theirs = set(_pairs(source.tokens))
    for one, other in _pairs(tokens):
        if (one, other) not in theirs and one in source.keys and other in source.keys:
            yield f"it puts {one} before {other}, and the CV does not"


def _pairs(tokens: Sequence[Token]) -> Iterable[tuple[str, str]]:
    claims = [token for token in tokens if not token.neutral]
    for one, other in itertools.pairwise(claims):
        if one.kind == other.kind == "number" and one.segment == other.segment:
            yield one.key, other.key


def _directions(tokens: Sequence[Token], source: Source) -> Iterable[str]:
    """What is *from* in the sentence is not *to* in the source."""
    theirs = list(_after(source.tokens))
    for word, after in _after(tokens):
        if word.key not in _DIRECTIONS or after.neutral or after.key not in source.keys:
            continue
        before = {one.key for one, other in theirs if other.key == after.key}
        if before & _DIRECTIONS and word.key not in before:
            yield f"it says {word.text} {after.text!r}, and the CV does not"


def _places(tokens: Sequence[Token], source: Source) -> Iterable[str]:
    """Who somebody works *at* or *for* is in the heading; else the source says the same *at* or *for*."""
    theirs = {(word.key, after.key) for word, after in _after(source.tokens)}
    for word, after in _after(tokens):
        is_place = word.key in _PLACES and after.kind == "name" and source.kind != "heading"
        if is_place and after.key not in source.around and (word.key, after.key) not in theirs:
            yield f"it says {word.text} {after.text!r}, and the CV does not"


def _after(tokens: Sequence[Token]) -> Iterable[tuple[Token, Token]]:
    """Yield each token with the next that is no article."""
    words = [token for token in tokens if token.text.casefold() not in ARTICLES]
    return itertools.pairwise(words)


def _written(source: Source, key: str) -> str:
    return next(token.text for token in source.tokens if token.key == key)
