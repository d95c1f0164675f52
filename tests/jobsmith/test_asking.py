from __future__ import annotations

import httpx2
import pytest
from tests.jobsmith.conftest import Scripted

from jobsmith.asking import Asker, ProviderError, schema_of
from jobsmith.errors import JobsmithError, OutputError
from jobsmith.layers.draft import DraftAnswer
from jobsmith.layers.facts import FactsAnswer
from switchgear import BreakerOpen, Governor


async def asked(gov: Governor, service: str = "writer") -> FactsAnswer:
    """Ask *service* for facts."""
    asker = Asker(gov, service=service, model="m")
    return await asker.ask("posting", system="s", question="q", shape=FactsAnswer, max_tokens=200)


@pytest.mark.parametrize("service", ["writer", "claude"])
async def test_an_answer_has_its_shape(service: str, writer: Governor, scripted: Scripted) -> None:
    """Both protocols are asked for the same schema, and both answers become the same object."""
    answer = await asked(writer, service)

    row = writer.ledger.reader.calls(limit=1).items[0]
    assert answer.company == "Acme Payments"
    assert (row.service, row.model, row.status, row.input_tokens, row.output_tokens) == (service, "m", "ok", 100, 50)


@pytest.mark.parametrize("bad", ["", "no JSON", "{}", '{"company": 3}', "[]"])
async def test_an_invalid_answer_is_repaired_twice_at_most(bad: str, writer: Governor, scripted: Scripted) -> None:
    """The model is told what is wrong; when its third answer is wrong too, that is the end."""
    scripted.answers["FactsAnswer"] = bad

    with pytest.raises(OutputError, match="posting: the model's answer is not usable") as error:
        await asked(writer)

    assert scripted.asked["FactsAnswer"] == 3
    assert error.value.problems
    assert "That is not valid" in scripted.bodies[-1]["messages"][-1]["content"]


async def test_a_repaired_answer_is_as_good(writer: Governor, scripted: Scripted) -> None:
    """One bad answer costs one more question."""

    def before(_name: str, count: int) -> httpx2.Response | None:
        return httpx2.Response(200, json={"choices": [{"message": {"content": "{"}}]}) if count == 1 else None

    scripted.before = before

    assert (await asked(writer)).role == "Staff Data Engineer"
    assert scripted.asked["FactsAnswer"] == 2


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": [{"message": None}]}, [1], "text"])
async def test_an_answer_of_no_known_form_is_an_empty_one(answer: object, writer: Governor, scripted: Scripted) -> None:
    """Whatever a provider sends with status 200, it is repaired or refused, and no bug."""
    scripted.before = lambda _name, _count: httpx2.Response(200, json=answer)

    with pytest.raises(OutputError):
        await asked(writer)


async def test_a_failing_provider_is_asked_again_until_its_breaker_opens(writer: Governor, scripted: Scripted) -> None:
    """Errors of the provider are waited out; five open the breaker, and that is a refusal."""
    scripted.before = lambda _name, _count: httpx2.Response(503)

    with pytest.raises(BreakerOpen):
        await asked(writer)

    assert scripted.asked["FactsAnswer"] == 5


async def test_a_lost_connection_is_an_error_of_the_provider(writer: Governor, scripted: Scripted) -> None:
    """What was not answered is tried again."""

    def before(_name: str, count: int) -> httpx2.Response | None:
        if count < 3:
            msg = "gone"
            raise httpx2.ReadError(msg)
        return None

    scripted.before = before

    assert (await asked(writer)).company == "Acme Payments"
    assert issubclass(ProviderError, JobsmithError)


async def test_a_wrong_request_is_not_repeated(writer: Governor, scripted: Scripted) -> None:
    """A model that does not exist, or a key that is wrong, is told at once."""
    scripted.before = lambda _name, _count: httpx2.Response(404, json={"error": {"message": "no such model"}})

    with pytest.raises(JobsmithError, match=r"answers 404 to m: .*no such model"):
        await asked(writer)

    assert scripted.asked["FactsAnswer"] == 1


async def test_a_service_without_models_is_told(writer: Governor) -> None:
    """A service of kind http has nobody to ask."""
    with pytest.raises(JobsmithError, match="of kind http"):
        Asker(writer, service="pdf_service", model="m")


def test_a_schema_is_closed_and_whole() -> None:
    """Every object forbids further keys and asks for all; nothing refers elsewhere; OpenAI gets no lengths of text."""
    full, bare = schema_of(DraftAnswer), schema_of(DraftAnswer, bare=True)

    assert full["required"] == ["letter", "about_you", "summary"]
    assert full["additionalProperties"] is False
    assert full["properties"]["letter"]["items"]["additionalProperties"] is False
    assert "$ref" not in str(full)
    assert "maxLength" in str(full)
    assert "maxLength" not in str(bare)
