from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobsmith.cv import Entry, MasterCv, Skill, Statement
from jobsmith.grounding.evidence import Evidence
from jobsmith.grounding.tokens import tokens_of
from jobsmith.grounding.verifier import check_line, check_sentence
from jobsmith.sentences import sentences_of

CV = MasterCv(
    name="Maria Santos",
    contact=("maria@example.org",),
    entries=(
        Entry(
            id="e1",
            kind="experience",
            heading="Engineer, Globex",
            dates="2019 \u2013 2022",
            statements=(
                Statement(id="e1.1", text="Cut costs by 30% and saved 1.2 million euros."),
                Statement(id="e1.2", text="Helped to build a team of twelve engineers."),
                Statement(id="e1.3", text="Never missed a release."),
                Statement(id="e1.4", text="Worked under Ann Lee on the parser."),
            ),
        ),
        Entry(
            id="e2",
            kind="experience",
            heading="Analyst, Initech",
            dates="2016 \u2013 2019",
            statements=(Statement(id="e2.1", text="Wrote reports in SQL."),),
        ),
    ),
    skills=(Skill(id="k1", name="SQL"), Skill(id="k2", name="Go", level="basic")),
)  # fmt: skip
EVIDENCE = Evidence(CV, posting="Acme builds rockets. You will test engines in Nevada.", company="Acme", role="Tester")

SAME = {
    "number in words": "I helped to build a team of 12 engineers.",
    "percent in words": "I cut costs by 30 percent.",
    "currency as a sign": "I saved €1.2 million.",
    "currency in letters": "I saved EUR 1,200,000.",
    "other form of a verb": "Cutting costs by 30%.",
    "dates of a heading": "I worked at Globex from 2019 to 2022.",
    "two statements": "I cut costs by 30%, and I wrote reports in SQL.",
    "who it was under": "I worked under Ann Lee on the parser.",
    "smart apostrophe and full-width digits": "I cut costs by \uff13\uff10%.",
}
OTHER = {
    "number": "I cut costs by 31%.",
    "unit": "I cut costs by 30 euros.",
    "magnitude": "I saved 1.2 billion euros.",
    "number of another thing": "I saved 30%.",
    "somebody else's doing": "I led Ann Lee on the parser.",
    "left-out limit": "I build a team of twelve engineers.",
    "left-out negation": "I missed a release.",
    "left-out superior": "I worked on the parser.",
    "other employer": "At Initech, I cut costs by 30%.",
    "the posting's employer": "At Acme I wrote reports in SQL.",
    "two employers at once": "At Globex I cut costs by 30% and wrote reports in SQL.",
    "level of a skill": "I use Go and SQL.",
    "past as present": "I work at Globex.",
    "the posting's task": "I test engines in Nevada.",
    "the posting's task, impersonal": "Testing engines in Nevada.",
    "a third person": "The candidate will test engines in Nevada.",
    "look-alike letters": "I cut \u0441osts by 30%.",
    "joined without a doing": "I cut costs by 30% and reports.",
    "a heading as an object": "I led Globex.",
    "an object that is none": "I missed costs.",
    "doer and doing exchanged": "Ann Lee worked under me.",
    "a level of another skill": "I have basic SQL.",
    "a comparison": "I have more experience than others.",
    "a name in lower case": "I wrote reports in cobol.",
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_in_other_words_is_supported(case: str) -> None:
    """Forms of words, numbers and dates may change."""
    checked = check_sentence(SAME[case], EVIDENCE, document="letter")

    assert checked.ground == "cv", checked.problems
    assert checked.sources


@pytest.mark.parametrize("case", OTHER)
def test_anything_else_is_refused_with_a_reason(case: str) -> None:
    """Each refusal says what is not supported."""
    checked = check_sentence(OTHER[case], EVIDENCE, document="letter")

    assert checked.ground == "refused", checked.sources
    assert checked.problems


def test_a_cv_has_its_person_in_it_alone() -> None:
    """What a letter may say of its reader is refused in a CV."""
    sentence = "You will test engines in Nevada."

    assert check_sentence(sentence, EVIDENCE, document="letter").sources == ("p2",)
    assert check_sentence(sentence, EVIDENCE, document="cv").ground == "refused"
    assert check_sentence("I am applying for the Tester role at Acme.", EVIDENCE, document="cv").ground == "refused"


def test_research_supports_what_it_says_of_the_company() -> None:
    """A sentence about the reader may come from research, and is told apart from the posting's."""
    evidence = Evidence(
        CV,
        posting="Acme builds rockets.",
        research=[("https://x.example", "Acme opened a plant in Ohio.")],
        company="Acme",
    )

    checked = check_sentence("Acme opened a plant in Ohio.", evidence, document="letter")

    assert (checked.ground, checked.sources) == ("research", ("r1.1",))


def test_a_name_that_the_posting_does_not_have_is_no_name_of_it() -> None:
    """A model that invents company or role gets nothing from it."""
    evidence = Evidence(CV, posting="Acme builds rockets.", company="Hooli", role="Tester. I have a doctorate")

    assert (evidence.company, evidence.role) == ("", "")


def test_kinds_of_problems_are_told() -> None:
    """A number, a date, an employer, a skill, a name and a claim are called so."""
    sentences = ("I cut costs by 99% in 1999.", "I worked at Hooli.", "I use Acme rockets in C++.", "I sang SQL.")
    found = {
        problem.kind
        for sentence in sentences
        for problem in check_sentence(sentence, EVIDENCE, document="letter").problems
    }  # fmt: skip

    assert {"number", "date", "employer", "skill", "claim"} <= found


@given(st.text(max_size=200))
def test_any_text_is_checked_without_an_error(text: str) -> None:
    """Whatever a model writes, each sentence of it is listed once, and numbers in it are never let through."""
    checked = check_line(text, EVIDENCE, document="letter")

    assert [one.text for one in checked] == list(sentences_of(text)) or len(checked) == 1
    for one in checked:
        if any(token.kind == "number" for token in tokens_of(one.text)) and one.is_grounded:
            assert one.sources


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! Three?", 3),
        ("I work for Acme Inc. and like it.", 1),
        ("E.g. this. And that.", 2),
        ("At 3.5 percent. Ñandú ran.", 2),
        ("a\nb", 2),
        ("", 0),
    ],
)
def test_sentences_are_cut_at_their_ends(text: str, count: int) -> None:
    """Abbreviations and decimal points end no sentence."""
    assert len(sentences_of(text)) == count
