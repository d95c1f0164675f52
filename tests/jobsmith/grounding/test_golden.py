"""The golden set: what is let through, and what is refused without need. Both are counted."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Final

from tests.jobsmith.grounding.conftest import Golden

from jobsmith.grounding.verifier import check_line, check_sentence

KINDS: Final = {"number", "employer", "date", "skill", "name", "claim", "twist"}
FOREIGN: Final = ("Zanzibar", "Kubrick", "COBOL", "Vladimir")
BOASTS: Final = (
    "expert",
    "award",
    "headmaster",
    "founder",
    "patents",
    "doctorate",
    "millions",
    "board",
    "sole",
    "best",
)


def test_the_set_is_broad(golden: list[Golden]) -> None:
    """Twelve pairs at least, from different trades, each with every kind of invention."""
    assert len(golden) >= 12
    for one in golden:
        assert set(one.planted) == KINDS, one.name
        assert (one.evidence.company, one.evidence.role) == (one.company, one.role)


def test_no_planted_invention_is_let_through(golden: list[Golden]) -> None:
    """Every number, employer, date, skill, name, claim that the CV does not have, and every twist, is refused."""
    let_through = [
        (one.name, kind, sentence)
        for one in golden
        for kind, sentences in one.planted.items()
        for sentence in sentences
        if check_sentence(sentence, one.evidence, document="letter").is_grounded
    ]

    assert let_through == []
    assert sum(len(sentences) for one in golden for sentences in one.planted.values()) >= 300


def test_no_mutated_sentence_is_let_through(golden: list[Golden]) -> None:
    """Of true sentences with one number, name, date, doer or boast changed by a rule, none is let through."""
    tried, let_through = 0, []
    for one, other in zip(golden, [*golden[1:], golden[0]], strict=True):
        for sentence in one.grounded:
            if check_sentence(sentence, one.evidence, document="letter").ground not in {"cv", "copied"}:
                continue
            for mutant in mutants(sentence, one, other):
                tried += 1
                if check_sentence(mutant, one.evidence, document="letter").is_grounded:
                    let_through.append((one.name, sentence, mutant))

    assert let_through == []
    assert tried > 1000


def test_true_sentences_are_let_through(golden: list[Golden]) -> None:
    """False refusals are counted: none of the sentences that a careful reader would let through is refused."""
    sentences = [(one, sentence) for one in golden for sentence in one.grounded]
    refused = [
        (one.name, sentence, checked.problems)
        for one, sentence in sentences
        if not (checked := check_sentence(sentence, one.evidence, document="letter")).is_grounded
    ]

    assert refused == []
    assert len(sentences) >= 100


def test_the_cv_itself_is_grounded(golden: list[Golden]) -> None:
    """Every statement of a master CV is supported by itself, in a CV and in a letter."""
    for one in golden:
        for statement in one.cv.statements():
            for document in ("cv", "letter"):
                checked = check_line(statement.text, one.evidence, document=document)
                assert [(each.ground, each.sources) for each in checked] == [("copied", (statement.id,))]


def test_another_persons_cv_supports_nothing(golden: list[Golden]) -> None:
    """What is true of one person is refused for every other."""
    for one, other in itertools.permutations(golden, 2):
        for statement in other.cv.statements():
            if len(statement.text.split()) > 2:
                assert not check_sentence(statement.text, one.evidence, document="cv").is_grounded, statement.text


def mutants(sentence: str, one: Golden, other: Golden) -> Iterator[str]:
    """Yield *sentence* with one thing in it made untrue."""
    for number in re.finditer(r"\d[\d,.]*\d|\d", sentence):
        digits = number[0]
        last = "7" if digits[-1] != "7" else "3"
        more = f"{digits}1" if "." in digits else f"{digits}0"  # 1.20 is 1.2
        for changed in (digits[:-1] + last, f"1{digits}", more):
            yield sentence[: number.start()] + changed + sentence[number.end() :]
    for name in re.finditer(r"(?<=[a-z,] )[A-ZÀ-Þ][\w'.-]+", sentence):
        for foreign in (*FOREIGN, other.cv.entries[0].heading.split(", ")[-1]):
            yield sentence[: name.start()] + foreign + sentence[name.end() :]
    base = sentence.rstrip(".")
    for foreign in FOREIGN:
        yield f"{base} with {foreign}."
        yield f"At {foreign}, {base[0].lower() + base[1:] if not base.startswith('I ') else base}."
    for boast in BOASTS:
        yield f"{base} as {boast}."
    yield f"{base} in 1987."
    yield f"{base} by 55%."
    yield (
        re.sub(r"\bI\b", other.cv.name.split()[0], sentence, count=1)
        if re.search(r"\bI\b", sentence)
        else f"{base} alone."
    )
