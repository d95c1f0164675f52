"""A master CV as JSON Resume (jsonresume.org)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from jobsmith.cv import Entry, EntryKind, MasterCv, Skill, Statement
from jobsmith.errors import InputError
from jobsmith.inputs.text import clean
from jobsmith.sentences import sentences_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["cv_of_resume"]


def _text(value: object) -> object:
    return "" if value is None else clean(value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_text)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Place(_Part):
    city: Text = ""
    region: Text = ""
    countryCode: Text = ""  # noqa: N815 - JSON Resume's name


class _Profile(_Part):
    network: Text = ""
    username: Text = ""
    url: Text = ""


class _Basics(_Part):
    name: Text
    label: Text = ""
    email: Text = ""
    phone: Text = ""
    url: Text = ""
    summary: Text = ""
    location: _Place = _Place()
    profiles: list[_Profile] = []


class _Item(_Part):
    """Any entry: JSON Resume calls the same thing by several names."""

    name: Text = ""
    organization: Text = ""
    institution: Text = ""
    position: Text = ""
    studyType: Text = ""  # noqa: N815 - JSON Resume's name
    area: Text = ""
    title: Text = ""
    awarder: Text = ""
    issuer: Text = ""
    publisher: Text = ""
    location: Text = ""
    startDate: Text = ""  # noqa: N815 - JSON Resume's name
    endDate: Text = ""  # noqa: N815 - JSON Resume's name
    date: Text = ""
    releaseDate: Text = ""  # noqa: N815 - JSON Resume's name
    score: Text = ""
    summary: Text = ""
    description: Text = ""
    highlights: list[Text] = []
    courses: list[Text] = []


class _Skill(_Part):
    name: Text = ""
    language: Text = ""
    level: Text = ""
    fluency: Text = ""
    keywords: list[Text] = []


class _Resume(_Part):
    basics: _Basics
    work: list[_Item] = []
    volunteer: list[_Item] = []
    education: list[_Item] = []
    projects: list[_Item] = []
    awards: list[_Item] = []
    certificates: list[_Item] = []
    publications: list[_Item] = []
    skills: list[_Skill] = []
    languages: list[_Skill] = []


_KINDS: Final[tuple[tuple[str, EntryKind], ...]] = (
    ("work", "experience"),
    ("volunteer", "other"),
    ("education", "education"),
    ("projects", "project"),
    ("awards", "other"),
    ("certificates", "other"),
    ("publications", "other"),
)


def cv_of_resume(data: dict[str, Any], *, what: str) -> MasterCv:
    """Return the CV that *data* is; *what* names it in errors.

    Raises:
        InputError: it is no JSON Resume; says which field.
    """
    try:
        resume = _Resume.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        msg = f"{what} is no JSON Resume: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise InputError(msg) from None
    basics = resume.basics
    if not basics.name:
        msg = f"{what} has no basics.name"
        raise InputError(msg)
    entries: list[Entry] = []
    for section, kind in _KINDS:
        entries += [_entry(item, kind, len(entries) + at) for at, item in enumerate(getattr(resume, section), 1)]
    place = ", ".join(filter(None, (basics.location.city, basics.location.region, basics.location.countryCode)))
    links = (profile.url or f"{profile.network} {profile.username}".strip() for profile in basics.profiles)
    return MasterCv(
        name=basics.name,
        label=basics.label,
        contact=tuple(filter(None, (basics.email, basics.phone, place, basics.url, *links))),
        summary=tuple(Statement(id=f"s{at}", text=said) for at, said in enumerate(sentences_of(basics.summary), 1)),
        entries=tuple(entries),
        skills=tuple(_skills(resume)),
    )


def _entry(item: _Item, kind: EntryKind, number: int) -> Entry:
    study = " ".join(filter(None, (item.studyType, item.area)))
    parts = (
        item.position or study or item.title,
        item.name or item.organization or item.institution or item.awarder or item.issuer or item.publisher,
        item.awarder or item.issuer or item.publisher if item.name else "",
        item.location,
    )
    said = [item.summary, item.description, *item.highlights]
    said += [f"Courses: {', '.join(item.courses)}"] if item.courses else []
    said += [f"Grade: {item.score}"] if item.score else []
    return Entry(
        id=f"e{number}",
        kind=kind,
        heading=", ".join(dict.fromkeys(filter(None, parts))),
        dates=_dates(item),
        statements=tuple(Statement(id=f"e{number}.{at}", text=text) for at, text in enumerate(_sentences(said), 1)),
    )


def _dates(item: _Item) -> str:
    if item.startDate:
        return f"{item.startDate} \u2013 {item.endDate or 'present'}"
    return item.endDate or item.date or item.releaseDate


def _sentences(said: Iterable[str]) -> list[str]:
    return [sentence for text in said for sentence in sentences_of(text)]


def _skills(resume: _Resume) -> Iterable[Skill]:
    named: list[tuple[str, str]] = []
    for skill in (*resume.skills, *resume.languages):
        if skill.name or skill.language:
            named.append((skill.name or skill.language, skill.level or skill.fluency))
        named += [(keyword, "") for keyword in skill.keywords if keyword]
    for at, (name, level) in enumerate(named, 1):
        yield Skill(id=f"k{at}", name=name, level=level)
