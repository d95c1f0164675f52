from __future__ import annotations

from collections.abc import Callable

import pytest

from switchgear.calls import Attribution, Call, Refusal, Usage
from switchgear.clients.governor import Governor
from switchgear.config import Config
from switchgear.errors import Refused
from switchgear.governor.explaining import Explained
from switchgear.governor.question import QuestionError, read_question
from switchgear.testing import ManualClock

DEGRADING = """
[services.llm]
kind = "openai"
base_url = "http://127.0.0.1:9"
prices = { "m" = { input = "1", output = "2" }, "small" = { input = "0.1", output = "0.1" } }

[[budgets]]
name = "cheap"
limit_usd = "0.001"
action = "degrade"
degrade_to = "small"
"""


def _ask(governor: Governor, **said: object) -> Explained:
    question = read_question(said, governor.config, governor.book, governor.clock.moment().wall)
    return governor.explainer.explain(question.call, max_wait_us=question.max_wait_us, cheaper=question.cheaper)


def _refused(governor: Governor, call: Call) -> Refusal:
    with pytest.raises(Refused) as caught:
        governor.admit(call)
    return caught.value.refusal


def test_a_call_that_fits_would_pass(governor: Governor) -> None:
    """With room everywhere the verdict is pass, and the price used is named."""
    told = _ask(governor, service="llm", model="m", input_tokens=100, max_output_tokens=50)
    assert (told.told.verdict, told.refusal, told.cost) == ("pass", None, 200_000)
    assert told.price_version is not None


def test_a_budget_without_room_refuses_in_the_words_of_the_gate(governor: Governor) -> None:
    """The refusal foretold is the one that the gate then gives."""
    told = _ask(governor, service="llm", model="m", max_output_tokens=5000, job="small")
    call = Call(
        id="x",
        service="llm",
        endpoint="/v1/chat/completions",
        model="m",
        attribution=Attribution(job="small"),
        bound=Usage(output_tokens=5000),
    )
    assert told.refusal == _refused(governor, call)


def test_an_unpriced_call_is_refused_where_the_service_says_so(governor: Governor) -> None:
    """A model without a price is told as unpriced, with every live rule beside it."""
    told = _ask(governor, service="llm", model="unheard-of", tokens=5)
    assert told.refusal is not None
    assert (told.refusal.reason, told.cost, told.price_version) == ("unpriced", None, None)
    assert [one.view.rule for one in told.told.limits] == ["requests_per_minute"]


def test_asking_writes_nothing(governor: Governor, clock: ManualClock) -> None:
    """No row, no event and no number comes of any number of questions."""
    before = governor.state.limits(clock.moment()), governor.state.budgets(clock.moment())
    for _ in range(200):
        _ask(governor, service="llm", model="m", tokens=10, job="small")
    assert (governor.state.limits(clock.moment()), governor.state.budgets(clock.moment())) == before
    assert governor.state.poll(clock.moment()) == ()


def test_a_degrading_budget_answers_for_its_cheaper_model(make_config: Callable[[str], Config]) -> None:
    """What is explained is the call that would really go, with the model that was asked for beside it."""
    with Governor(make_config(DEGRADING), clock=ManualClock(1_800_000_000.0)) as governor:
        told = _ask(governor, service="llm", model="m", max_output_tokens=5000)
        assert (told.told.verdict, told.call.model, told.call.degraded_from) == ("pass", "small", "m")
        with governor.call("llm", model="m", max_output_tokens=5000) as call:
            assert call.model == "small"


async def test_a_task_is_told_the_same(governor: Governor) -> None:
    """Both shells give one answer."""
    question = read_question({"service": "llm", "model": "m", "tokens": 9}, governor.config, governor.book, 0)
    told = await governor.explainer.aexplain(question.call, cheaper=question.cheaper)
    assert told == governor.explainer.explain(question.call, cheaper=question.cheaper)


def test_all_tokens_count_as_the_dearer_kind(governor: Governor) -> None:
    """Tokens without a direction are priced as output where that costs more."""
    assert _ask(governor, service="llm", model="m", tokens=100).cost == 200_000


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ({}, "service"),
        ({"service": "nobody"}, "service"),
        ({"service": "llm", "tokens": -1}, "tokens"),
        ({"service": "llm", "tokens": 1.5}, "tokens"),
        ({"service": "llm", "tokens": True}, "tokens"),
        ({"service": "llm", "tokens": 1, "input_tokens": 1}, "tokens"),
        ({"service": "llm", "units": {"pages": -1}}, "units.pages"),
        ({"service": "llm", "units": 3}, "units"),
        ({"service": "llm", "tags": {"a": 1}}, "tags.a"),
        ({"service": "llm", "max_wait": "soon"}, "max_wait"),
        ({"service": "llm", "max_wait": -1}, "max_wait"),
        ({"service": "llm", "max_wait": float("nan")}, "max_wait"),
        ({"service": "llm", "model": ""}, "model"),
        ({"service": "llm", "job": "x" * 1001}, "job"),
        ({"service": "llm", "colour": "red"}, "colour"),
    ],
)
def test_a_question_that_makes_no_sense_names_its_key(governor: Governor, said: dict[str, object], key: str) -> None:
    """Whatever is wrong, the error says where."""
    with pytest.raises(QuestionError) as caught:
        read_question(said, governor.config, governor.book, 0)
    assert caught.value.key == key


def test_an_unknown_service_lists_the_known(governor: Governor) -> None:
    """Whoever mistypes a service is told which there are."""
    with pytest.raises(QuestionError) as caught:
        read_question({"service": "lm"}, governor.config, governor.book, 0)
    assert caught.value.valid == ("free", "llm", "pages")
