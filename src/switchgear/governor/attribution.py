"""On whose behalf a request is made: what its headers, its baggage and its body say, and who has the last word.

What is said is untrusted text that ends up in the ledger, on pages and in other headers. Control
characters are taken out, a value ends after 256 characters and a tag's name after 64, and of more
than 32 tags the first 32 by name stay. A call is never refused for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from switchgear import context
from switchgear.calls import NO_ATTRIBUTION, Attribution
from switchgear.wire.metadata import said_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from switchgear.governor.asked import Asked
    from switchgear.governor.headers import Headers

__all__ = [
    "LONGEST",
    "MOST_TAGS",
    "attribution_for",
    "attribution_of",
    "baggage_of",
    "cleaned",
    "described",
    "with_baggage",
]

LONGEST: Final = 256
"""Characters of a value."""

MOST_TAGS: Final = 32

_LONGEST_NAME: Final = 64
_MOST_BAGGAGE: Final = 8192
"""Bytes of baggage that are read; W3C Baggage, section 3.3.2, asks for no more to be passed on."""

_OURS: Final = "x-switchgear-"
_NOUNS: Final = ("job", "run", "layer")
_MEMBER: Final = "switchgear."
_TAG: Final = "switchgear.tag."


def cleaned(said: Attribution) -> Attribution:
    """Return *said* within the bounds that hold for everything that callers say."""
    if said is NO_ATTRIBUTION:
        return said
    tags = {_text(name, _LONGEST_NAME): _text(value, LONGEST) or "" for name, value in said.tags}
    kept = sorted((name, value) for name, value in tags.items() if name)[:MOST_TAGS]
    return Attribution(
        job=_text(said.job, LONGEST),
        run=_text(said.run, LONGEST),
        layer=_text(said.layer, LONGEST),
        key=said.key,
        tags=tuple(kept),
    )


def attribution_for(asked: Asked, sources: Collection[str]) -> Attribution:
    """Return whose call *asked* is.

    Headers come first, then baggage, then the body where *sources* tells to read it, then what is
    in force in Python, then what the caller's key says; but a key that is fixed has the only word.
    """
    said = context.merged(baggage_of(asked.headers), attribution_of(asked.headers))
    if sources:
        said = context.merged(described(said_in(asked.body, sources)), said)
    if len(said.tags) > MOST_TAGS:
        said = cleaned(said)
    return asked.caller.attributed(context.merged(context.current(), said))


def attribution_of(headers: Iterable[tuple[str, str]]) -> Attribution:
    """Return what the ``x-switchgear-job``, ``-run``, ``-layer`` and ``-tags`` headers say.

    Tags are written ``name=value`` and separated by commas.
    """
    found: dict[str, str] = {}
    for key, value in headers:
        low = key.lower()
        if low.startswith(_OURS) and low[len(_OURS) :] in {*_NOUNS, "tags"} and value:
            found[low[len(_OURS) :]] = value
    return described(found) if found else NO_ATTRIBUTION


def baggage_of(headers: Iterable[tuple[str, str]]) -> Attribution:
    """Return what the members ``switchgear.job``, ``.run``, ``.layer`` and ``.tag.<name>`` of W3C ``baggage`` say.

    Source: https://www.w3.org/TR/baggage/
    """
    text = ",".join(value for key, value in headers if key.lower() == "baggage")
    if _MEMBER not in text:
        return NO_ATTRIBUTION
    found: dict[str, str] = {}
    tags: dict[str, str] = {}
    for member in text[:_MOST_BAGGAGE].split(","):
        name, mark, value = member.partition(";")[0].partition("=")
        name = name.strip()
        if not mark:
            continue
        if name.startswith(_TAG):
            tags[unquote(name[len(_TAG) :])] = unquote(value.strip())
        elif name.startswith(_MEMBER) and name[len(_MEMBER) :] in _NOUNS:
            found[name[len(_MEMBER) :]] = unquote(value.strip())
    return cleaned(Attribution(**found, tags=tuple(sorted(tags.items()))))


def described(said: Mapping[str, object]) -> Attribution:
    """Return what the members ``job``, ``run``, ``layer``, ``tags`` (``a=1,b=2``) and ``user`` (a tag) say."""
    tags: dict[str, str] = {}
    text = said.get("tags")
    if isinstance(text, str):
        pairs = (part.partition("=") for part in text.split(","))
        tags = {name.strip(): value.strip() for name, mark, value in pairs if mark}
    if isinstance(user := said.get("user"), str):
        tags.setdefault("user", user)
    nouns = {noun: value for noun in _NOUNS if isinstance(value := said.get(noun), str)}
    return cleaned(Attribution(**nouns, tags=tuple(sorted(tags.items()))))


def with_baggage(headers: Iterable[tuple[str, str]], said: Attribution) -> Headers:
    """Return *headers* with *said* as members of their ``baggage``, last, in the place of such that are there."""
    kept: list[str] = []
    out: list[tuple[str, str]] = []
    for key, value in headers:
        if key.lower() == "baggage":
            kept += [one.strip() for one in value.split(",") if one.strip() and not one.strip().startswith(_MEMBER)]
        else:
            out.append((key, value))
    nouns = [(f"{_MEMBER}{noun}", text) for noun in _NOUNS if (text := said.value(noun)) is not None]
    nouns += [(f"{_TAG}{quote(name, safe='')}", value) for name, value in said.tags]
    kept += [f"{name}={quote(value, safe='')}" for name, value in nouns]
    return [*out, ("baggage", ",".join(kept))] if kept else out


def _text(value: str | None, longest: int) -> str | None:
    if value is None:
        return None
    if not value.isprintable():
        value = "".join(char for char in value if char.isprintable())
    return value.strip()[:longest].rstrip() or None
