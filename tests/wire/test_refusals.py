from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from switchgear.calls import Reason, Refusal
from switchgear.wire.anthropic import AnthropicDialect
from switchgear.wire.generic import GenericDialect
from switchgear.wire.openai import OpenAIDialect

if TYPE_CHECKING:
    from switchgear.wire.base import Dialect

DIALECTS: list[Dialect] = [OpenAIDialect(), AnthropicDialect(), GenericDialect()]
BUDGET = Refusal(
    reason="budget",
    rule="openai-month",
    service="openai",
    message="budget openai-month: $50.00 of $50.00 used",
    unit="usd",
    limit=50_000_000_000,
    used=49_999_999_999,
    reserved=1,
    retry_after=12.2,
    retry_at=1_700_000_000.0001,
)
FACTS = {
    "reason": "budget",
    "rule": "openai-month",
    "service": "openai",
    "limit": "50",
    "used": "49.999999999",
    "reserved": "0.000000001",
    "retry_at": "2023-11-14T22:13:20.001Z",
}


def refusal(reason: Reason) -> Refusal:
    """Return a refusal for *reason* without numbers."""
    return Refusal(reason=reason, rule="rule", service="s", message="no")


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize(
    ("reason", "status"),
    [("rate_limit", 429), ("breaker", 503), ("budget", 402), ("skip", 402), ("unpriced", 402)],
)
def test_every_refusal_has_its_status_and_headers(dialect: Dialect, reason: Reason, status: int) -> None:
    """A client can tell by status and header who refused, and SDKs are told not to retry."""
    wire = dialect.refusal(refusal(reason))
    headers = dict(wire.headers)

    assert wire.status == status
    assert headers["x-switchgear-refused"] == reason
    assert headers["x-should-retry"] == "false"
    assert "json" in headers["content-type"]
    assert "retry-after" not in headers


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_every_body_carries_the_switchgear_object(dialect: Dialect) -> None:
    """Money is a decimal string, the instant RFC 3339 in UTC, and neither is ever early or short."""
    wire = dialect.refusal(BUDGET)

    assert msgspec.json.decode(wire.body)["switchgear"] == FACTS
    assert dict(wire.headers)["retry-after"] == "13"


def body_of(dialect: Dialect) -> dict[str, Any]:
    """Return the body of a budget refusal without the ``switchgear`` object."""
    body: dict[str, Any] = msgspec.json.decode(dialect.refusal(BUDGET).body)
    del body["switchgear"]
    return body


def test_the_body_has_the_shape_of_openai() -> None:
    """OpenAI's SDK finds message, type, param and code."""
    assert body_of(OpenAIDialect()) == {
        "error": {"message": BUDGET.message, "type": "insufficient_quota", "param": None, "code": "budget_exceeded"}
    }


def test_the_body_has_the_shape_of_anthropic() -> None:
    """Anthropic's SDK finds its error object with one of its types."""
    assert body_of(AnthropicDialect()) == {
        "type": "error",
        "error": {"type": "billing_error", "message": BUDGET.message},
    }


def test_other_services_get_a_problem_document() -> None:
    """RFC 9457 is what an HTTP client can expect of an API that we know nothing about."""
    wire = GenericDialect().refusal(BUDGET)

    assert dict(wire.headers)["content-type"] == "application/problem+json"
    assert body_of(GenericDialect()) == {
        "type": "about:blank",
        "title": "Budget exceeded",
        "status": 402,
        "detail": BUDGET.message,
    }


def test_tokens_and_requests_stay_numbers() -> None:
    """Only money is a string."""
    limited = Refusal(
        reason="rate_limit", rule="requests_per_minute", service="s", message="no", unit="requests", limit=5, used=5
    )
    facts = msgspec.json.decode(OpenAIDialect().refusal(limited).body)["switchgear"]

    assert (facts["limit"], facts["used"], facts["reserved"], facts["retry_at"]) == (5, 5, None, None)


def test_each_provider_gets_its_key_its_own_way() -> None:
    """OpenAI and most APIs take a bearer token, Anthropic a header of its own."""
    assert OpenAIDialect().auth_headers("k", url="https://x/v1/models") == (("authorization", "Bearer k"),)
    assert GenericDialect().auth_headers("k", url="https://x/v1/models") == (("authorization", "Bearer k"),)
    assert AnthropicDialect().auth_headers("k", url="https://x/v1/models") == (("x-api-key", "k"),)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1", "api-key"),
        ("https://x.openai.azure.com/openai/responses", "api-key"),
        ("https://x.openai.azure.com/openai/v1/responses", "authorization"),
        ("https://api.groq.com/openai/v1/chat/completions", "authorization"),
    ],
)
def test_azure_takes_its_key_in_a_header_of_its_own(url: str, name: str) -> None:
    """Its older paths know no bearer token."""
    ((header, _),) = OpenAIDialect().auth_headers("k", url=url)

    assert header == name
