from __future__ import annotations

import pytest
from tests.jobsmith.conftest import Scripted

from jobsmith.asking import Asker
from jobsmith.errors import OutputError, UngroundedError
from jobsmith.layers.draft import draft_by_words, write_draft
from jobsmith.layers.facts import facts_by_words, read_posting
from jobsmith.layers.fit import fit_by_words, rate_fit
from jobsmith.layers.gate import check_draft
from jobsmith.layers.needs import needs_by_words, read_needs
from jobsmith.layers.research import research_company
from jobsmith.nouns import Draft, Order, PostingFacts, Research
from jobsmith.profiles import PROFILES, profile_for
from switchgear import Governor

BALANCED = PROFILES["balanced"]
NOTHING = Research(skipped="not looked for")


@pytest.fixture
def asker(writer: Governor) -> Asker:
    """Give what asks the scripted model."""
    return Asker(writer, service="writer", model="m")


async def facts_of(order: Order, asker: Asker) -> PostingFacts:
    """Read the posting."""
    return await read_posting(order, asker=asker, profile=BALANCED)


async def drafted(order: Order, asker: Asker, profile: str = "balanced") -> Draft:
    """Write a draft, all layers before it included."""
    facts = await facts_of(order, asker)
    needs = await read_needs(order, facts, asker=asker, profile=BALANCED)
    fit = await rate_fit(order, facts, asker=asker, profile=BALANCED)
    return await write_draft(order, facts, needs, NOTHING, fit, asker=asker, profile=PROFILES[profile])  # type: ignore[index]  # a name of a profile


async def test_facts_are_what_the_posting_really_says(order: Order, asker: Asker) -> None:
    """Must-haves and keywords that a model adds are left out."""
    facts = await facts_of(order, asker)

    assert (facts.company, facts.role, facts.seniority) == ("Acme Payments", "Staff Data Engineer", "lead")
    assert facts.must_haves == ("Python, SQL and Airflow",)
    assert facts.keywords == ("Kafka", "Python")


async def test_an_invented_company_is_none(order: Order, asker: Asker, scripted: Scripted) -> None:
    """Names that the posting does not have are dropped; its first line and its own sentences take their place."""
    invented = {"company": "Hooli", "role": "King", "must_haves": ["magic"], "keywords": [], "seniority": "mid"}
    scripted.answers["FactsAnswer"] = invented

    facts = await facts_of(order, asker)

    assert (facts.company, facts.role) == ("", "Staff Data Engineer")
    assert "You bring Python, SQL and Airflow." in facts.must_haves


async def test_every_quote_occurs_in_the_posting(order: Order, asker: Asker) -> None:
    """A reading quotes a whole sentence of the posting; one of a sentence that is not there goes."""
    needs = await read_needs(order, await facts_of(order, asker), asker=asker, profile=BALANCED)

    assert [one.text for one in needs.pain_points] == ["the report is slow"]
    for one in (*needs.pain_points, *needs.measures):
        assert one.quote in order.posting.text


async def test_research_without_a_source_says_why_not(writer: Governor, order: Order, asker: Asker) -> None:
    """Nothing is looked for without a key, nor for a company without a name, and both are told."""
    facts = await facts_of(order, asker)

    assert "no source is configured" in (await research_company(facts, governor=writer)).skipped
    nameless = facts.model_copy(update={"company": ""})
    assert "does not name the company" in (await research_company(nameless, governor=writer)).skipped


async def test_a_must_have_in_the_same_words_counts_in_full(order: Order, asker: Asker) -> None:
    """Words decide first, the model sees the rest by half, and what nothing shows is a gap."""
    facts = PostingFacts(company="", role="", must_haves=("Python and Airflow", "coaching of people", "Kafka"))
    scripted_fit = await rate_fit(order, facts, asker=asker, profile=PROFILES["fast"])

    assert scripted_fit.score == 33
    assert scripted_fit.gaps == ("coaching of people", "Kafka")
    assert scripted_fit == fit_by_words(order, facts)


async def test_a_model_may_see_more_but_only_in_statements_that_exist(
    order: Order, asker: Asker, scripted: Scripted
) -> None:
    """A judgement counts half, and one that cites nothing of the CV counts nothing."""
    facts = PostingFacts(company="", role="", must_haves=("Kafka", "coaching of people"))
    scripted.answers["FitAnswer"] = {
        "shown": [{"must_have": 1, "statement": "e9.9"}, {"must_have": 2, "statement": "e1.2"}]
    }

    fit = await rate_fit(order, facts, asker=asker, profile=BALANCED)

    assert fit.score == 25
    assert fit.gaps == ("Kafka",)
    assert fit.musts[1].shown_by == ("e1.2",)


async def test_a_draft_keeps_what_the_cv_supports_and_no_more(order: Order, asker: Asker, scripted: Scripted) -> None:
    """Inventions are refused and told, handed back once, and the CV's own words fill what is left."""
    draft = await drafted(order, asker)

    lines = (*draft.letter.opening, *draft.letter.points, *draft.letter.ending)
    assert "At Globex, I cut month-end close from nine days to three." in draft.letter.points
    assert "I built 40 pipelines in Python and Airflow." in draft.letter.points
    assert "You will own the pipelines behind the daily settlement report." in draft.letter.opening
    assert not any(word in line for line in lines for word in ("Rust", "Google", "Kafka", "rockets"))
    assert {"I built 4000 pipelines in Rust for Google.", "I know Kafka.", "Expert in rockets."} == {
        one.text for one in draft.refused
    }
    assert all(one.is_grounded for one in draft.report)
    assert draft.cv.summary == ("Data engineer with eight years of experience in finance.",)
    assert scripted.asked["_Rewritten"] == 1


async def test_a_model_that_only_invents_gets_the_cvs_own_letter(
    order: Order, asker: Asker, scripted: Scripted
) -> None:
    """When nothing that it writes is supported, letter and CV are whole all the same."""
    bad = [{"statement": "e1.1", "text": "I flew to the moon in 1969."}]
    scripted.answers["DraftAnswer"] = {"letter": bad, "about_you": [], "summary": []}
    scripted.answers["_Rewritten"] = {"letter": bad}

    draft = await drafted(order, asker, "quality")

    assert scripted.asked["_Rewritten"] == 2
    assert len(draft.letter.points) == 4
    assert set(draft.letter.points) <= {one.text for one in order.cv.statements()}


async def test_the_gate_traces_every_line_again(order: Order, asker: Asker) -> None:
    """What was changed after the draft is found, and a point of another post is not let stand below this one."""
    facts = await facts_of(order, asker)
    draft = await drafted(order, asker)

    assert "none without a source" in check_draft(order, facts, NOTHING, draft).checks[0]

    letter = draft.letter.model_copy(update={"points": ("I hold a doctorate.",)})
    with pytest.raises(UngroundedError, match="I hold a doctorate"):
        check_draft(order, facts, NOTHING, draft.model_copy(update={"letter": letter}))
    (first, points), *rest = draft.cv.entries
    moved = draft.cv.model_copy(update={"entries": ((first, (*points, rest[0][1][0])), *rest)})
    with pytest.raises(UngroundedError, match="40 pipelines"):
        check_draft(order, facts, NOTHING, draft.model_copy(update={"cv": moved}))


async def test_the_gate_stops_what_is_empty(order: Order, asker: Asker) -> None:
    """A letter without a point does not go out."""
    draft = await drafted(order, asker)
    empty = draft.model_copy(update={"letter": draft.letter.model_copy(update={"points": ()})})

    with pytest.raises(OutputError, match="makes no point"):
        check_draft(order, await facts_of(order, asker), NOTHING, empty)


def test_without_a_model_there_is_an_application_all_the_same(order: Order) -> None:
    """Every layer has a way by words alone, and the gate lets its result through."""
    facts = facts_by_words(order)
    needs, fit = needs_by_words(order, facts), fit_by_words(order, facts)

    draft = draft_by_words(order, facts, needs, NOTHING, fit, profile=PROFILES["fast"])

    assert facts.role == "Staff Data Engineer"
    assert needs.measures[0].quote == "The report takes eleven hours today and must take two."
    assert check_draft(order, facts, NOTHING, draft).warnings == ("the posting does not name the company",)


@pytest.mark.parametrize(
    ("score", "name"), [(None, "fast"), (10, "fast"), (40, "balanced"), (74, "balanced"), (75, "quality")]
)
def test_the_profile_may_go_by_fit(score: int | None, name: str) -> None:
    """A poor fit is written fast, a fair one balanced, a good one with the best."""
    assert profile_for("by_fit", score=score).name == name
    assert profile_for("quality", score=score).name == "quality"


async def test_names_that_make_no_sentence_are_left_out_of_it(order: Order, asker: Asker, scripted: Scripted) -> None:
    """A model that mixes role and company up makes no letter that the gate would have to stop."""
    mixed = {"company": "Staff Data Engineer at Acme Payments", "role": "Staff Data Engineer at Acme Payments"}
    scripted.answers["FactsAnswer"] = {**scripted.answers["FactsAnswer"], **mixed}

    draft = await drafted(order, asker)
    facts = await facts_of(order, asker)

    assert (facts.company, facts.role) == ("Acme Payments", "Staff Data Engineer")
    assert draft.letter.opening[0] == "I am applying for the Staff Data Engineer position at Acme Payments."
    assert all(one.is_grounded for one in draft.report)
