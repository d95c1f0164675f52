from __future__ import annotations

from typing import TYPE_CHECKING

import anthropic
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from switchgear.drills.sandbox import Sandbox

_ASKED = {"model": "claude", "max_tokens": 4, "messages": [{"role": "user", "content": "one two three"}]}


@pytest.fixture
def sdk(sandbox: Sandbox) -> Iterator[anthropic.Anthropic]:
    """Anthropic's own client on the sandbox."""
    with anthropic.Anthropic(api_key="none", base_url=sandbox.url, max_retries=0) as made:
        yield made


def test_messages_bear_exact_usage(sdk: anthropic.Anthropic) -> None:
    """Input is split in read, written and cached tokens, as Anthropic does it."""
    answer = sdk.messages.create(
        model="claude",
        max_tokens=9,
        system="be brief",
        messages=[{"role": "user", "content": [{"type": "text", "text": "one two three"}]}],
        extra_headers={"x-sandbox-fault": "cached=2;cache_write=1"},
    )

    assert answer.usage.input_tokens == 2
    assert answer.usage.cache_read_input_tokens == 2
    assert answer.usage.cache_creation_input_tokens == 1
    assert answer.usage.output_tokens == 9
    assert answer.stop_reason == "max_tokens"


def test_a_stream_ends_in_the_same_message(sdk: anthropic.Anthropic) -> None:
    """The SDK puts a stream together to the message that is not streamed, usage included."""
    whole = sdk.messages.create(model="claude", max_tokens=20, messages=[{"role": "user", "content": "why"}])
    with sdk.messages.stream(model="claude", max_tokens=20, messages=[{"role": "user", "content": "why"}]) as stream:
        streamed = stream.get_final_message()

    assert streamed.model_dump(exclude={"content"}) == whole.model_dump(exclude={"content"})
    assert [block.model_dump()["text"] for block in streamed.content] == [b.model_dump()["text"] for b in whole.content]
    assert whole.usage.output_tokens == 16
    assert whole.stop_reason == "end_turn"


def test_a_stream_has_the_events_of_anthropic_in_order(client: httpx2.Client) -> None:
    """The raw stream names its events as Anthropic does, ping included."""
    text = client.post("/v1/messages", json=_ASKED | {"max_tokens": 2, "stream": True}).text
    names = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]

    assert names == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_reasoning_is_part_of_the_output(client: httpx2.Client) -> None:
    """Thinking tokens are told apart and are inside ``output_tokens``."""
    usage = client.post("/v1/messages", json=_ASKED, headers={"x-sandbox-fault": "reasoning=3"}).json()["usage"]

    assert usage["output_tokens"] == 4
    assert usage["output_tokens_details"] == {"thinking_tokens": 3}


def test_tokens_are_counted_beforehand(sdk: anthropic.Anthropic) -> None:
    """``count_tokens`` says what a message will read."""
    counted = sdk.messages.count_tokens(
        model="claude", system="be brief", messages=[{"role": "user", "content": "why"}]
    )

    assert counted.input_tokens == 3


@pytest.mark.parametrize("lacking", ["model", "messages", "max_tokens"])
def test_bad_input_is_refused_as_anthropic_does(client: httpx2.Client, lacking: str) -> None:
    """What lacks a required field gets 400 in Anthropic's shape, which names the field."""
    answer = client.post("/v1/messages", json={name: value for name, value in _ASKED.items() if name != lacking})

    assert answer.status_code == 400
    assert answer.json()["type"] == "error"
    assert answer.json()["error"] == {"type": "invalid_request_error", "message": f"{lacking}: Field required"}


def test_numbers_that_can_not_be_are_refused(client: httpx2.Client) -> None:
    """A bound below one is refused, and so is counting what lacks a model."""
    bounded = client.post("/v1/messages", json=_ASKED | {"max_tokens": 0})
    counted = client.post("/v1/messages/count_tokens", json={"messages": []})

    assert bounded.json()["error"]["message"].startswith("max_tokens: ")
    assert counted.json()["error"]["message"] == "model: Field required"


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, anthropic.RateLimitError), (500, anthropic.InternalServerError), (529, anthropic.APIStatusError)],
)
def test_a_status_on_demand_is_the_sdk_error(
    sdk: anthropic.Anthropic, status: int, error: type[anthropic.APIStatusError]
) -> None:
    """A status fault raises the SDK's own error, with its ``Retry-After``."""
    with pytest.raises(error) as caught:
        sdk.messages.create(
            model="claude",
            max_tokens=1,
            messages=[{"role": "user", "content": "x"}],
            extra_headers={"x-sandbox-fault": f"status={status};retry_after=7"},
        )

    assert caught.value.status_code == status
    assert caught.value.response.headers["retry-after"] == "7"


def test_an_error_event_ends_the_stream(sdk: anthropic.Anthropic) -> None:
    """A failure inside a stream reaches the client as Anthropic's overload."""
    stream = sdk.messages.create(
        model="claude",
        max_tokens=9,
        messages=[{"role": "user", "content": "x"}],
        stream=True,
        extra_headers={"x-sandbox-fault": "error_event"},
    )
    seen: list[object] = []
    with pytest.raises(anthropic.APIStatusError, match="overloaded_error"), stream:
        seen.extend(event.type for event in stream)

    assert seen == ["message_start", "content_block_start"]
