"""The providers' own SDKs, with and without us: equal results, and their usage in the ledger."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest

import switchgear as sg
from switchgear.config import Config
from switchgear.drills.sandbox import Sandbox
from switchgear.ledger.views import CallFilter, CallRow
from switchgear.server import Server

pytestmark = pytest.mark.e2e

MODEL = "gpt-4o-mini"
CLAUDE = "claude-haiku-4-5"
QUESTION = "tell me about the sea"
Result = tuple[str, int, int]

CONFIG = """
[services.openai]
kind = "openai"
base_url = "{url}"
limits = {{ requests_per_minute = 10000 }}

[services.anthropic]
kind = "anthropic"
base_url = "{url}"
limits = {{ requests_per_minute = 10000 }}
"""


@pytest.fixture
def server(sandbox: Sandbox, make_config: Callable[[str], Config]) -> Iterator[Server]:
    """A running server in front of the sandbox."""
    with Server(make_config(CONFIG.format(url=sandbox.url)), port=0) as running:
        yield running


def _openai_settings(way: str, server: Server, sandbox: Sandbox) -> dict[str, Any]:
    base = {"direct": f"{sandbox.url}/v1", "gateway": f"{server.url}/openai/v1", "client": f"{sandbox.url}/v1"}
    return {"api_key": "sk-test", "base_url": base[way], "max_retries": 0}


def _anthropic_settings(way: str, server: Server, sandbox: Sandbox) -> dict[str, Any]:
    base = {"direct": sandbox.url, "gateway": f"{server.url}/anthropic", "client": sandbox.url}
    return {"api_key": "sk-test", "base_url": base[way], "max_retries": 0}


def _chat(client: openai.OpenAI) -> Result:
    answer = client.chat.completions.create(model=MODEL, max_tokens=7, messages=[{"role": "user", "content": QUESTION}])
    assert answer.usage is not None
    return answer.choices[0].message.content or "", answer.usage.prompt_tokens, answer.usage.completion_tokens


def _chat_stream(client: openai.OpenAI) -> Result:
    stream = client.chat.completions.create(
        model=MODEL,
        max_tokens=7,
        messages=[{"role": "user", "content": QUESTION}],
        stream=True,
        stream_options={"include_usage": True},
    )
    text, usage = "", None
    for chunk in stream:
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
        usage = chunk.usage or usage
    assert usage is not None
    return text, usage.prompt_tokens, usage.completion_tokens


def _responses(client: openai.OpenAI) -> Result:
    answer = client.responses.create(model=MODEL, max_output_tokens=7, input=QUESTION)
    assert answer.usage is not None
    return answer.output_text, answer.usage.input_tokens, answer.usage.output_tokens


def _responses_stream(client: openai.OpenAI) -> Result:
    text, usage = "", None
    for event in client.responses.create(model=MODEL, max_output_tokens=7, input=QUESTION, stream=True):
        if event.type == "response.output_text.delta":
            text += event.delta
        elif event.type in {"response.completed", "response.incomplete"}:
            usage = event.response.usage
    assert usage is not None
    return text, usage.input_tokens, usage.output_tokens


def _embeddings(client: openai.OpenAI) -> Result:
    answer = client.embeddings.create(model="text-embedding-3-small", input=[QUESTION, "and the sky"])
    return str([row.embedding for row in answer.data]), answer.usage.prompt_tokens, 0


def _rich(client: openai.OpenAI) -> Result:
    """Ask with a tool, a JSON schema and an image at once."""
    schema: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    answer = client.chat.completions.create(
        model=MODEL,
        max_tokens=7,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": QUESTION},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}},
                ],
            }
        ],
        tools=[{"type": "function", "function": {"name": "weather", "parameters": schema}}],
        response_format={"type": "json_schema", "json_schema": {"name": "place", "schema": schema, "strict": True}},
    )
    assert answer.usage is not None
    return answer.choices[0].message.content or "", answer.usage.prompt_tokens, answer.usage.completion_tokens


async def _achat(client: openai.AsyncOpenAI) -> Result:
    answer = await client.chat.completions.create(
        model=MODEL, max_tokens=7, messages=[{"role": "user", "content": QUESTION}]
    )
    assert answer.usage is not None
    return answer.choices[0].message.content or "", answer.usage.prompt_tokens, answer.usage.completion_tokens


async def _achat_stream(client: openai.AsyncOpenAI) -> Result:
    stream = await client.chat.completions.create(
        model=MODEL,
        max_tokens=7,
        messages=[{"role": "user", "content": QUESTION}],
        stream=True,
        stream_options={"include_usage": True},
    )
    text, usage = "", None
    async for chunk in stream:
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
        usage = chunk.usage or usage
    assert usage is not None
    return text, usage.prompt_tokens, usage.completion_tokens


def _message(client: anthropic.Anthropic) -> Result:
    answer = client.messages.create(model=CLAUDE, max_tokens=7, messages=[{"role": "user", "content": QUESTION}])
    text = "".join(block.text for block in answer.content if block.type == "text")
    return text, answer.usage.input_tokens, answer.usage.output_tokens


def _message_stream(client: anthropic.Anthropic) -> Result:
    with client.messages.stream(model=CLAUDE, max_tokens=7, messages=[{"role": "user", "content": QUESTION}]) as stream:
        answer = stream.get_final_message()
    text = "".join(block.text for block in answer.content if block.type == "text")
    return text, answer.usage.input_tokens, answer.usage.output_tokens


async def _amessage(client: anthropic.AsyncAnthropic) -> Result:
    answer = await client.messages.create(model=CLAUDE, max_tokens=7, messages=[{"role": "user", "content": QUESTION}])
    text = "".join(block.text for block in answer.content if block.type == "text")
    return text, answer.usage.input_tokens, answer.usage.output_tokens


async def _amessage_stream(client: anthropic.AsyncAnthropic) -> Result:
    async with client.messages.stream(
        model=CLAUDE, max_tokens=7, messages=[{"role": "user", "content": QUESTION}]
    ) as stream:
        answer = await stream.get_final_message()
    text = "".join(block.text for block in answer.content if block.type == "text")
    return text, answer.usage.input_tokens, answer.usage.output_tokens


def _rows(server: Server) -> tuple[CallRow, ...]:
    return server.governor.ledger.reader.calls(CallFilter()).items


def _check_ledger(server: Server, way: str, result: Result, *, streamed: bool) -> None:
    if way == "direct":
        assert _rows(server) == ()
        return
    (row,) = _rows(server)
    assert (row.status, row.input_tokens, row.output_tokens) == ("ok", *result[1:])
    assert (row.streamed, row.estimated) == (streamed, False)
    assert row.cost
    assert row.reserved is not None
    assert row.cost <= row.reserved


@pytest.mark.parametrize("way", ["gateway", "client"])
@pytest.mark.parametrize(
    ("ask", "streamed"),
    [
        (_chat, False),
        (_chat_stream, True),
        (_responses, False),
        (_responses_stream, True),
        (_embeddings, False),
        (_rich, False),
    ],
)
def test_openai_sync(
    server: Server, sandbox: Sandbox, way: str, ask: Callable[[openai.OpenAI], Result], *, streamed: bool
) -> None:
    """The OpenAI SDK gets the same text and usage through us as without us."""
    wanted = ask(openai.OpenAI(**_openai_settings("direct", server, sandbox)))
    _check_ledger(server, "direct", wanted, streamed=streamed)
    sandbox.reset()
    settings = _openai_settings(way, server, sandbox)
    if way == "client":
        settings["http_client"] = server.governor.http_client("openai")
    with openai.OpenAI(**settings) as client:
        result = ask(client)
    assert result == wanted
    _check_ledger(server, way, result, streamed=streamed)


@pytest.mark.parametrize("way", ["gateway", "client"])
@pytest.mark.parametrize(("ask", "streamed"), [(_achat, False), (_achat_stream, True)])
async def test_openai_async(
    server: Server,
    sandbox: Sandbox,
    way: str,
    ask: Callable[[openai.AsyncOpenAI], Awaitable[Result]],
    *,
    streamed: bool,
) -> None:
    """The asynchronous OpenAI SDK gets the same text and usage through us as without us."""
    async with openai.AsyncOpenAI(**_openai_settings("direct", server, sandbox)) as direct:
        wanted = await ask(direct)
    sandbox.reset()
    settings = _openai_settings(way, server, sandbox)
    if way == "client":
        settings["http_client"] = server.governor.async_http_client("openai")
    async with openai.AsyncOpenAI(**settings) as client:
        result = await ask(client)
    assert result == wanted
    _check_ledger(server, way, result, streamed=streamed)


@pytest.mark.parametrize("way", ["gateway", "client"])
@pytest.mark.parametrize(("ask", "streamed"), [(_message, False), (_message_stream, True)])
def test_anthropic_sync(
    server: Server, sandbox: Sandbox, way: str, ask: Callable[[anthropic.Anthropic], Result], *, streamed: bool
) -> None:
    """The Anthropic SDK gets the same text and usage through us as without us."""
    with anthropic.Anthropic(**_anthropic_settings("direct", server, sandbox)) as direct:
        wanted = ask(direct)
    sandbox.reset()
    settings = _anthropic_settings(way, server, sandbox)
    if way == "client":
        settings["http_client"] = server.governor.http_client("anthropic")
    with anthropic.Anthropic(**settings) as client:
        result = ask(client)
    assert result == wanted
    _check_ledger(server, way, result, streamed=streamed)


@pytest.mark.parametrize("way", ["gateway", "client"])
@pytest.mark.parametrize(("ask", "streamed"), [(_amessage, False), (_amessage_stream, True)])
async def test_anthropic_async(
    server: Server,
    sandbox: Sandbox,
    way: str,
    ask: Callable[[anthropic.AsyncAnthropic], Awaitable[Result]],
    *,
    streamed: bool,
) -> None:
    """The asynchronous Anthropic SDK gets the same text and usage through us as without us."""
    async with anthropic.AsyncAnthropic(**_anthropic_settings("direct", server, sandbox)) as direct:
        wanted = await ask(direct)
    sandbox.reset()
    settings = _anthropic_settings(way, server, sandbox)
    if way == "client":
        settings["http_client"] = server.governor.async_http_client("anthropic")
    async with anthropic.AsyncAnthropic(**settings) as client:
        result = await ask(client)
    assert result == wanted
    _check_ledger(server, way, result, streamed=streamed)


def test_a_refusal_reaches_the_sdk_as_its_own_error(sandbox: Sandbox, make_config: Callable[[str], Config]) -> None:
    """Over the budget the OpenAI SDK raises its 402 with our rule in the body, and does not retry."""
    config = make_config(CONFIG.format(url=sandbox.url) + '[[budgets]]\nname = "tiny"\nlimit_usd = "0.000001"\n')
    with sg.Governor(config) as gov:
        client = openai.OpenAI(api_key="sk-test", http_client=gov.http_client("openai"), max_retries=3)
        with pytest.raises(openai.APIStatusError) as caught:
            _chat(client)
        assert caught.value.status_code == 402
        assert caught.value.response.headers["x-switchgear-refused"] == "budget"
        body = caught.value.response.json()
        assert body["switchgear"]["rule"] == "tiny"
        assert body["error"]["message"].startswith("budget tiny has no room")
        assert len(gov.ledger.reader.calls(CallFilter()).items) == 1
        client.close()
    assert sandbox.stats().received == 0


def test_tasks_and_threads_keep_their_attribution(server: Server, sandbox: Sandbox) -> None:
    """Calls made side by side are each put down to their own job and layer."""
    import concurrent.futures

    client = openai.OpenAI(
        **_openai_settings("client", server, sandbox), http_client=server.governor.http_client("openai")
    )

    def work(number: int) -> None:
        with sg.attribution(job=f"job-{number}", tags={"number": str(number)}), sg.attribution(layer=f"l{number}"):
            _chat(client)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    client.close()
    found = {(row.job, row.layer, row.tags["number"]) for row in _rows(server)}
    assert found == {(f"job-{number}", f"l{number}", str(number)) for number in range(24)}
