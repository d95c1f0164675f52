from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobsmith.errors import InputError
from jobsmith.inputs.cv import cv_from_bytes, cv_from_file
from jobsmith.inputs.markdown_cv import dates_in

MARKDOWN = """\
# Zoë Ångström

Site Reliability Engineer
zoe@example.org · +46 70 000 00 00
[Portfolio](https://example.org/zoe)

## Profile

Reliability engineer for payment systems. Likes calm on-call weeks.

## Work experience

### Senior SRE, Nordpay AB (Jan 2020 \u2013 present)

- Cut **paging noise** by 70 %
  within one year.
- Runs 12 Kubernetes clusters.

### SRE, Fjordnet
2016 - 2019, Oslo

- Built the on-call rota.

## Education

### MSc Computer Science, KTH (2014 \u2013 2016)

## Skills

- Languages: Python, Go (basic)
- Terraform, Kubernetes

## Languages

- Swedish: native
- English: fluent

## Awards

- Nordic SRE prize 2021.
"""

RESUME = {
    "basics": {
        "name": "Zoë Ångström",
        "label": "SRE",
        "email": "zoe@example.org",
        "summary": "Reliability engineer for payment systems. Likes calm on-call weeks.",
        "location": {"city": "Oslo", "countryCode": "NO"},
        "profiles": [{"network": "git", "username": "zoe"}],
    },
    "work": [
        {
            "name": "Nordpay AB",
            "position": "Senior SRE",
            "startDate": "2020-01",
            "summary": "Keeps payments up.",
            "highlights": ["Cut paging noise by 70 %."],
        },
        {
            "name": "Fjordnet",
            "position": "SRE",
            "startDate": "2016-02-01",
            "endDate": "2019-12-31",
            "highlights": [],
        },
    ],
    "education": [
        {"institution": "KTH", "studyType": "MSc", "area": "Computer Science", "endDate": "2016", "score": None}
    ],
    "awards": [{"title": "Nordic SRE prize", "date": "2021", "awarder": "NSRE"}],
    "skills": [{"name": "Cloud", "keywords": ["Terraform", "Kubernetes"]}, {"name": "Go", "level": "basic"}],
    "languages": [{"language": "Swedish", "fluency": "native"}],
    "interests": [{"name": "left out"}],
}


def test_a_markdown_cv_is_read_as_it_is_written() -> None:
    """Name, contact, sections, headings with dates in or below them, bullets over two lines, skills with levels."""
    cv = cv_from_bytes(MARKDOWN.encode(), origin="cv.md")

    assert (cv.name, cv.label) == ("Zoë Ångström", "Site Reliability Engineer")
    assert cv.contact == ("zoe@example.org", "+46 70 000 00 00", "Portfolio (https://example.org/zoe)")
    assert [one.text for one in cv.summary] == [
        "Reliability engineer for payment systems.",
        "Likes calm on-call weeks.",
    ]
    found = [(entry.id, entry.kind, entry.heading, entry.dates) for entry in cv.entries]
    assert found == [
        ("e1", "experience", "Senior SRE, Nordpay AB", "Jan 2020 \u2013 present"),
        ("e2", "experience", "SRE, Fjordnet, Oslo", "2016 - 2019"),
        ("e3", "education", "MSc Computer Science, KTH", "2014 \u2013 2016"),
        ("e4", "other", "Awards", ""),
    ]
    assert [(one.id, one.text) for one in cv.entries[0].statements] == [
        ("e1.1", "Cut paging noise by 70 % within one year."),
        ("e1.2", "Runs 12 Kubernetes clusters."),
    ]
    assert [skill.text for skill in cv.skills] == [
        "Python", "Go (basic)", "Terraform", "Kubernetes", "Swedish (native)", "English (fluent)",
    ]  # fmt: skip
    assert len({skill.id for skill in cv.skills}) == len(cv.skills)


def test_a_json_resume_says_the_same() -> None:
    """The parts of JSON Resume become the same nouns; what it has more is left out."""
    cv = cv_from_bytes(json.dumps(RESUME).encode(), origin="resume.json")

    found = [(entry.id, entry.kind, entry.heading, entry.dates) for entry in cv.entries]
    assert found == [
        ("e1", "experience", "Senior SRE, Nordpay AB", "2020-01 \u2013 present"),
        ("e2", "experience", "SRE, Fjordnet", "2016-02-01 \u2013 2019-12-31"),
        ("e3", "education", "MSc Computer Science, KTH", "2016"),
        ("e4", "other", "Nordic SRE prize, NSRE", "2021"),
    ]
    assert cv.contact == ("zoe@example.org", "Oslo, NO", "git zoe")
    assert [one.text for one in cv.entries[0].statements] == ["Keeps payments up.", "Cut paging noise by 70 %."]
    assert [skill.text for skill in cv.skills] == ["Cloud", "Terraform", "Kubernetes", "Go (basic)", "Swedish (native)"]


@pytest.mark.parametrize(
    ("heading", "rest", "dates"),
    [
        ("Engineer, Acme (2019 \u2013 2022)", "Engineer, Acme", "2019 \u2013 2022"),
        ("Engineer at Acme | March 2019 - Present", "Engineer at Acme", "March 2019 - Present"),
        ("2019-03 \u2013 2022-06: Engineer, Acme", "Engineer, Acme", "2019-03 \u2013 2022-06"),
        ("Engineer, Acme, 03/2019 to 06/2022", "Engineer, Acme", "03/2019 to 06/2022"),
        ("Engineer, Acme, since 2021", "Engineer, Acme", "since 2021"),
        ("Engineer, Studio 54", "Engineer, Studio 54", ""),
    ],
)
def test_dates_are_taken_from_a_heading(heading: str, rest: str, dates: str) -> None:
    """Dates are found in the ways people write them, and a number is no date."""
    assert dates_in(heading) == (rest, dates)


BAD = {
    "empty": (b"", "is empty"),
    "no name": (b"## Experience\n### Engineer, Acme (2019)\n- Did it.\n", "has no name"),
    "no sections": (b"# Ada\nhello there\n", "has no experience"),
    "no dates": (b"# Ada\n## Experience\n### Engineer, Acme\n- Built it.\n", "'Engineer, Acme' has no dates"),
    "nothing said": (b"# Ada\n## Experience\n### Engineer, Acme (2019)\n", "says nothing below"),
    "broken JSON": (b'{"basics": ', "begins as JSON and is none"),
    "other JSON": (b'{"name": "Ada"}', "basics: Field required"),
    "JSON without a name": (b'{"basics": {"name": ""}}', "no basics.name"),
    "wrong type": (b'{"basics": {"name": "Ada"}, "work": [{"highlights": "x"}]}', "work.0.highlights"),
    "picture": (b"\x89PNG\r\n", "is a picture"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_cv_is_told(case: str) -> None:
    """Each CV that can't be used has an error that says what is wrong, and where."""
    raw, said = BAD[case]

    with pytest.raises(InputError, match=said):
        cv_from_bytes(raw, origin="cv")


def test_a_cv_in_another_language_is_told() -> None:
    """Applications are in English, and so is what they are made from."""
    said = "Hat die Dienste für unsere Kunden und das Team gebaut und mit der Leitung betrieben."
    text = f"# Ada\n## Experience\n### Ingenieurin, Acme (2019)\n- {said}\n"

    with pytest.raises(InputError, match="seems to be in German"):
        cv_from_bytes(text.encode(), origin="cv.md")


def test_a_cv_that_is_not_there_is_told(tmp_path: Path) -> None:
    """The name of the file is in the error."""
    with pytest.raises(InputError, match=r"cv\.md: can't be read"):
        cv_from_file(tmp_path / "cv.md")
