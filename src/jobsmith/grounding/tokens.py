"""From a sentence to what it claims: numbers with their units, dates, names, words."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from jobsmith.grounding.words import CURRENCIES, IRREGULAR, MAGNITUDES, MONTHS, NEUTRAL, NUMBER_WORDS

__all__ = ["Token", "TokenKind", "is_doing", "normal", "stem", "tokens_of"]

TokenKind = Literal["number", "date", "name", "word"]

_TOKEN: Final = re.compile(
    r"(?P<iso>(?:19|20)\d\d-(?:0[1-9]|1[0-2])(?:-\d\d)?(?!\d))"
    r"|(?P<monthyear>(?:0?[1-9]|1[0-2])/(?:19|20)\d\d(?!\d))"
    r"|(?P<address>[\w.+-]+@[\w.-]+\w|(?:https?://|www\.)[^\s)>\]]+)"
    r"|(?P<number>[$€£¥]?\d+(?:[.,]\d+)*(?:(?:k|m|mn|bn|x)\b|%|\+)?(?![\w]))"
    r"|(?P<word>\.?[^\W_](?:[\w.'&]*[\w])?[+#]*)"
    r"|(?P<cut>[,;:()\[\]\u2013\u2014!?|])"
)
_CUTTING: Final = frozenset({"and", "while", "but", "which", "by", "plus", "then", "who"})
_DOINGS: Final = frozenset({*IRREGULAR.values(), "cut", "put", "hit", "run"})
_BIG: Final = 1900
_LATE: Final = 2100


class Token(NamedTuple):
    """One claim or word of a sentence.

    Attributes:
        text: as written.
        key: what two mentions of the same thing share.
        unit: of a number: ``%``, a currency, ``x``, or nothing.
        neutral: it claims nothing by itself.
        segment: which part of the sentence it is in; commas and conjunctions begin a new one.
        place: its place among the tokens.
    """

    text: str
    key: str
    kind: TokenKind
    unit: str
    neutral: bool
    segment: int
    place: int


def normal(text: str) -> str:
    """Return *text* with one form for each letter, digit, blank, apostrophe and dash."""
    text = unicodedata.normalize("NFKC", text).replace("\u2019", "'").replace("\u2011", "-")
    return re.sub(r"\s+", " ", text).strip()


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """Return what the forms of *word* share; a manager is not what was managed."""
    word = word.casefold().removesuffix("'s").removesuffix("'")
    if word in IRREGULAR:
        return IRREGULAR[word].removesuffix("e")
    if len(word) <= 3 or not word.isalpha():  # noqa: PLR2004 - "aws" is no plural
        return word
    if word.endswith("ies") and len(word) > 4:  # noqa: PLR2004
        word = f"{word[:-3]}y"
    elif word.endswith(("sses", "shes", "ches", "xes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    elif word.endswith("ied") and len(word) > 4:  # noqa: PLR2004
        word = f"{word[:-3]}y"
    else:
        for ending in ("ing", "ed"):
            if word.endswith(ending) and len(word) - len(ending) >= 3:  # noqa: PLR2004
                word = word[: -len(ending)]
                if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":  # noqa: PLR2004
                    word = word[:-1]
                break
    return word.removesuffix("e")


@lru_cache(maxsize=4096)
def tokens_of(text: str) -> tuple[Token, ...]:
    """Return the tokens of *text* in order."""
    found: list[Token] = []
    segment = 0
    for match in _TOKEN.finditer(normal(text)):
        kind, said = match.lastgroup, match[0]
        if kind == "cut" or (kind == "word" and said.casefold() in _CUTTING):
            segment += 1
            if kind == "cut":
                continue
        if kind == "iso":
            _add(found, said[:4], said[:4], "date", segment)
            _add(found, said, f"month{int(said[5:7])}", "date", segment)
        elif kind == "monthyear":
            month, _, year = said.partition("/")
            _add(found, said, f"month{int(month)}", "date", segment)
            _add(found, year, year, "date", segment)
        elif kind == "number":
            _number(found, said, segment)
        elif kind == "address":
            _add(found, said, said.casefold(), "name", segment)
        else:
            _word(found, said, segment)
    return tuple(found)


def is_doing(token: Token) -> bool:
    """Return whether *token* looks like a verb that tells what was done: *led*, *built*, *saved*, *cutting*."""
    word = token.text.casefold()
    is_past = word in IRREGULAR or token.key in _DOINGS or word.endswith(("ed", "ing"))
    return is_past and (token.kind == "word" or token.place == 0)


def _add(found: list[Token], text: str, key: str, kind: TokenKind, segment: int, unit: str = "") -> None:
    found.append(Token(text, key, kind, unit, neutral=False, segment=segment, place=len(found)))


def _number(found: list[Token], said: str, segment: int) -> None:
    match = re.fullmatch(r"([$€£¥]?)([\d.,]+)(k|m|mn|bn|x|%|\+)?", said)
    if match is None:
        _add(found, said, said, "number", segment)
        return
    sign, digits, suffix = match[1], match[2], match[3] or ""
    value = _value(digits) * MAGNITUDES.get(suffix, 1)
    unit = CURRENCIES.get(sign, "") or (suffix if suffix in {"%", "x", "+"} else "")
    if found and not unit and found[-1].text.casefold() in CURRENCIES:
        before = found.pop()
        said, unit = f"{before.text} {said}", CURRENCIES[before.text.casefold()]
    is_year = not unit and not suffix and digits.isdecimal() and len(digits) == 4 and _BIG <= value < _LATE  # noqa: PLR2004
    _add(found, said, _key(value), "date" if is_year else "number", segment, unit)


def _value(digits: str) -> Decimal:
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", digits):
        return Decimal(digits.replace(",", ""))
    digits = digits.replace(",", ".")
    return Decimal(digits) if digits.count(".") <= 1 else Decimal(digits.replace(".", ""))


def _key(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _word(found: list[Token], said: str, segment: int) -> None:
    lower = said.casefold()
    before = found[-1] if found else None
    if before is not None and before.kind == "number" and _joins(found, before, lower):
        return
    is_name = said[0].isupper() or any(char.isdigit() or char in "+#" for char in said) or said[1:] != said[1:].lower()
    if said[0].isupper() and lower.rstrip(".") in MONTHS and (lower != "may" or before is not None):
        _add(found, said, f"month{MONTHS[lower]}", "date", segment)
    elif lower in NUMBER_WORDS:
        _add(found, said, _key(Decimal(NUMBER_WORDS[lower])), "number", segment)
    else:
        first = not found or found[-1].segment != segment or found[-1].text.endswith(".")
        is_plain = lower in NEUTRAL and (lower == said or first or lower == "i" or said in {"CV", "I"})
        kind: TokenKind = "name" if is_name and not is_plain else "word"
        found.append(Token(said, stem(said), kind, "", neutral=is_plain, segment=segment, place=len(found)))


def _joins(found: list[Token], number: Token, lower: str) -> bool:
    """Put *lower* into the number before it, if it is its magnitude or unit."""
    if lower in MAGNITUDES and len(lower) > 1:
        value = Decimal(number.key) * MAGNITUDES[lower]
        found[-1] = number._replace(text=f"{number.text} {lower}", key=_key(value), kind="number")
    elif lower in NUMBER_WORDS and number.text.casefold() in NUMBER_WORDS:
        ten, one = int(Decimal(number.key)), NUMBER_WORDS[lower]
        value = Decimal(ten * one if lower == "hundred" else ten + one)
        found[-1] = number._replace(text=f"{number.text} {lower}", key=_key(value))
    elif lower in {"percent", "per cent", "pct"}:
        found[-1] = number._replace(text=f"{number.text} {lower}", unit="%")
    elif lower in CURRENCIES and not number.unit:
        found[-1] = number._replace(text=f"{number.text} {lower}", unit=CURRENCIES[lower])
    else:
        return False
    return True
