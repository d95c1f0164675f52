"""A master CV in Markdown.

``# Name``, contact lines below it, then ``## Sections``. Below *Experience*, *Education* and *Projects*, each ``###``
heading is an entry; its dates are in it or in the line below. *Skills* and *Languages* are lists. Any other section
is kept as one more entry.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from jobsmith.cv import Entry, EntryKind, MasterCv, Skill, Statement
from jobsmith.errors import InputError
from jobsmith.sentences import sentences_of

__all__ = ["cv_of_markdown", "dates_in", "skills_in"]

_Section = Literal["summary", "experience", "education", "project", "skills", "other"]
_SECTIONS: Final[dict[_Section, str]] = {
    "summary": r"summary|profile|about( me)?|objective|personal statement",
    "experience": r"(work |professional |relevant )?(experience|employment|history|career)( history)?|jobs|positions",
    "education": r"education|studies|academic.*|training",
    "project": r"(selected |personal |open.source )?projects|open.source|portfolio",
    "skills": r"(technical |key |core |other )?(skills|competenc\w+|technolog\w+|expertise|tools)( .*)?|languages",
}
_HEADING: Final = re.compile(r"(#{1,6})\s+(.*?)\s*#*")
_BULLET: Final = re.compile(r"\s*(?:[-*+•·\u2013]|\d+[.)])\s+(.*)")
_MARKUP: Final = re.compile(r"\*\*|__|`|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)")
_LINK: Final = re.compile(r"!?\[([^\]]*)\]\(([^)\s]*)[^)]*\)")
_MONTH: Final = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*\.?"
_DAY: Final = r"(?:\d{1,2}\.)?\d{1,2}[/.](?:19|20)\d\d|(?:19|20)\d\d[-/]\d{2}(?:-\d{2})?"
_POINT: Final = rf"(?:{_DAY}|(?:{_MONTH}\s+)?(?:19|20)\d\d)"
_OPEN: Final = r"present|today|now|current|ongoing"
_DATES: Final = re.compile(
    rf"(?:since\s+|from\s+)?{_POINT}(?:\s*(?:[-\u2013\u2014]{{1,2}}|to|until|till)\s*(?:{_POINT}|\d\d\b|{_OPEN}))?",
    re.IGNORECASE,
)
_EDGES: Final = " \t,;|·•\u2013\u2014-:"
_SKILL_LEVEL: Final = re.compile(r"(.+?)\s*[(:\u2013\u2014]\s*([^()]+?)\)?\s*")


class _Line(NamedTuple):
    number: int
    text: str


def cv_of_markdown(text: str, *, what: str) -> MasterCv:
    """Return the CV in *text*; *what* names it in errors.

    Raises:
        InputError: it has no name.
    """
    name, contact, sections = _split(text)
    if not name:
        msg = f'{what} has no name: its first line is "# First Last"'
        raise InputError(msg)
    summary: list[str] = []
    entries: list[Entry] = []
    skills: list[Skill] = []
    for title, lines in sections:
        kind = _kind(title)
        if kind == "summary":
            summary += [sentence for line in lines for sentence in sentences_of(_bullet(line) or _plain(line))]
        elif kind == "skills":
            skills += skills_in([_bullet(line) or _plain(line) for line in lines], first=len(skills) + 1)
        else:
            entries += _entries(kind, title, lines, first=len(entries) + 1)
    label = contact[0] if contact and not re.search(r"[@\d/|]", contact[0]) and len(contact) > 1 else ""
    return MasterCv(
        name=name,
        label=label,
        contact=tuple(contact[1:] if label else contact),
        summary=tuple(Statement(id=f"s{at}", text=said) for at, said in enumerate(summary, 1)),
        entries=tuple(entries),
        skills=tuple(skills),
    )


def dates_in(heading: str) -> tuple[str, str]:
    """Return *heading* without the dates in it, and these."""
    match = _DATES.search(heading)
    if match is None:
        return heading.strip(), ""
    before, after = heading[: match.start()], heading[match.end() :]
    if before.rstrip().endswith("(") and after.lstrip().startswith(")"):
        before, after = before.rstrip()[:-1], after.lstrip()[1:]
    rest = f"{before.rstrip(_EDGES)} {after.lstrip(_EDGES)}".strip(_EDGES)
    return re.sub(r"\s*\(\s*\)", "", rest), match[0].strip()


def skills_in(lines: list[str], *, first: int) -> list[Skill]:
    """Return the skills that *lines* list, ``Category: one, two (level)``, numbered from *first* on."""
    found: list[Skill] = []
    for line in lines:
        category, colon, rest = line.partition(":")
        listed = rest if colon and ("," in rest or "," not in category) else line
        if colon and "," not in rest and not re.search(r"[,;|]", listed) and _is_level(rest):
            found.append(Skill(id=f"k{first + len(found)}", name=category.strip(), level=rest.strip().rstrip(".")))
            continue
        for item in re.split(r"[,;|](?![^(]*\))", listed):
            skill = item.strip().rstrip(".").strip()
            if skill:
                match = _SKILL_LEVEL.fullmatch(skill)
                name, level = (match[1], match[2]) if match else (skill, "")
                found.append(Skill(id=f"k{first + len(found)}", name=name, level=level))
    return found


def _is_level(text: str) -> bool:
    words = (
        "native fluent basic advanced intermediate beginner expert proficient conversational working a1 a2 b1 b2 c1 c2"
    )
    return bool(set(re.findall(r"[a-z0-9]+", text.lower())) & set(words.split()))


def _split(text: str) -> tuple[str, list[str], list[tuple[str, list[str]]]]:
    """Return the name, what stands below it, and the sections with their lines."""
    name, contact = "", list[str]()
    sections: list[tuple[str, list[str]]] = []
    for line in text.split("\n"):
        match = _HEADING.fullmatch(line.strip())
        level = len(match[1]) if match else 0
        if match and level == 1 and not name:
            name = _plain(match[2])
        elif match and level <= 2:  # noqa: PLR2004 - "##"
            sections.append((_plain(match[2]), []))
        elif line.strip() and set(line.strip()) - set("-*_= "):
            if sections:
                sections[-1][1].append(line.rstrip())
            elif name:
                contact += [
                    part.strip() for part in re.split(r"\s+[|·•]\s+", _bullet(line) or _plain(line)) if part.strip()
                ]
            else:
                name = ""
    return name, contact, sections


def _kind(title: str) -> _Section:
    for kind, pattern in _SECTIONS.items():
        if re.fullmatch(pattern, title.strip(), re.IGNORECASE):
            return kind
    return "other"


def _entries(kind: _Section, title: str, lines: list[str], *, first: int) -> list[Entry]:
    entry_kind: EntryKind = "other" if kind in {"summary", "skills"} else kind  # type: ignore[assignment]  # the two are handled before
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        match = _HEADING.fullmatch(line.strip())
        if match:
            found.append((_plain(match[2]), []))
        else:
            if not found:
                found.append((title, []))
            found[-1][1].append(line)
    return [_entry(entry_kind, heading, said, number) for number, (heading, said) in enumerate(found, first)]


def _entry(kind: EntryKind, heading: str, lines: list[str], number: int) -> Entry:
    shown, dates = dates_in(heading)
    said: list[str] = []
    for at, line in enumerate(lines):
        bullet = _bullet(line)
        plain = _plain(line)
        if bullet is None and at == 0 and not dates and _DATES.search(plain) and len(plain.split()) <= 12:  # noqa: PLR2004 - a line of dates is short
            rest, dates = dates_in(plain)
            shown = f"{shown}, {rest}" if rest else shown
        elif bullet is None and said and line.startswith(" "):
            said[-1] += f" {plain}"
        else:
            said += sentences_of(bullet if bullet is not None else plain)
    return Entry(
        id=f"e{number}",
        kind=kind,
        heading=shown,
        dates=dates,
        statements=tuple(Statement(id=f"e{number}.{at}", text=text) for at, text in enumerate(said, 1)),
    )


def _bullet(line: str) -> str | None:
    match = _BULLET.fullmatch(line)
    return _plain(match[1]) if match else None


def _plain(text: str) -> str:
    """Return *text* without Markdown's marks."""
    return _MARKUP.sub("", _LINK.sub(lambda link: f"{link[1]} ({link[2]})" if link[2] else link[1], text)).strip()
