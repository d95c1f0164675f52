"""The providers' own SDKs, with and without us: equal results, and their usage in the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import openai
import pytest
from tests.e2e.asks import ASKS, Ask, answers_of, usage_of

import switchgear as sg
from switchgear.config import Config
from switchgear.drills.sandbox import Sandbox
from switchgear.ledger.views import CallFilter, CallRow
from switchgear.local import MODEL as REAL
from switchgear.local import LocalModel, missing
from switchgear.server import Server

pytestmark = pytest.mark.e2e

MODELS = {"openai": "gpt-4o-mini", "anthropic": "claude-haiku-4-5"}
WAYS = ["gateway", "client"]
STYLES = ["sync", "async"]
BY_CHANCE = {"id", "created", "created_at", "completed_at", "timings", "item_id"}
"""Fields of the real model's answers that differ from call to call, with us or without."""

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
OWN_PRICES = 'prices = {{ "*" = {{ input = "1", output = "2" }} }}'


@pytest.fixture
def server(sandbox: Sandbox, make_config: Callable[[str], Config]) -> Iterator[Server]:
    """A running server in front of the sandbox."""
    with Server(make_config(CONFIG.format(url=sandbox.url)), port=0) as running:
        yield running


@pytest.fixture(scope="module")
def model() -> Iterator[LocalModel]:
    """The real model; where it is not installed the test fails, with the sentence that says how to get it."""
    if (what := missing()) is not None:
        pytest.fail(what)
    with LocalModel() as running:
        yield running


@pytest.fixture
def real_server(model: LocalModel, make_config: Callable[[str], Config]) -> Iterator[Server]:
    """A running server in front of the real model."""
    text = CONFIG.replace("limits =", f"{OWN_PRICES}\nlimits =").format(url=model.url)
    with Server(make_config(text), port=0) as running:
        yield running


@asynccontextmanager
async def client_of(ask: Ask, server: Server, url: str, *, way: str, style: str) -> AsyncIterator[Any]:
    """Open the SDK's client of *ask*: ``direct`` to *url*, through the ``gateway``, or as our own http ``client``."""
    gov = server.governor
    settings: dict[str, Any] = {
        "api_key": "sk-test",
        "base_url": f"{server.url}/{ask.kind}" if way == "gateway" else url,
        "max_retries": 0,
    }
    if ask.kind == "openai":
        settings["base_url"] += "/v1"
    kinds: dict[tuple[str, str], Any] = {
        ("openai", "sync"): openai.OpenAI,
        ("openai", "async"): openai.AsyncOpenAI,
        ("anthropic", "sync"): anthropic.Anthropic,
        ("anthropic", "async"): anthropic.AsyncAnthropic,
    }
    if way == "client":
        settings["http_client"] = (gov.http_client if style == "sync" else gov.async_http_client)(ask.kind)
    client = kinds[ask.kind, style](**settings)
    try:
        yield client
    finally:
        if style == "sync":
            client.close()
        else:
            await client.close()


def _rows(server: Server) -> tuple[CallRow, ...]:
    return server.governor.ledger.reader.calls(CallFilter()).items


def check_ledger(server: Server, ask: Ask, answers: list[dict[str, Any]]) -> None:
    """See that there is one row, with the usage that the SDK was told, priced and within what was reserved."""
    (row,) = _rows(server)
    assert (row.status, row.streamed, row.estimated) == ("ok", ask.streamed, False)
    if ask.free:
        assert (row.input_tokens, row.cost) == (0, 0)
        return
    told = usage_of(answers)
    assert told is not None or ask.name == "chat-stream-bare"
    if told is not None:
        assert (row.input_tokens, row.output_tokens) == told
    assert row.input_tokens
    assert row.cost
    assert row.reserved is not None
    assert row.cost <= row.reserved


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ask", ASKS, ids=lambda ask: ask.name)
async def test_sandbox(server: Server, sandbox: Sandbox, ask: Ask, way: str, style: str) -> None:
    """Every field of every answer and event is through us what it is without us."""
    async with client_of(ask, server, sandbox.url, way="direct", style=style) as direct:
        wanted = await answers_of(ask, direct, MODELS[ask.kind])
    assert _rows(server) == ()
    sandbox.reset()
    async with client_of(ask, server, sandbox.url, way=way, style=style) as client:
        result = await answers_of(ask, client, MODELS[ask.kind])
    assert result == wanted
    check_ledger(server, ask, result)


@pytest.mark.parametrize(("way", "style"), [("gateway", "sync"), ("gateway", "async"), ("client", "sync")])
@pytest.mark.parametrize("ask", [ask for ask in ASKS if not ask.only], ids=lambda ask: ask.name)
async def test_real_model(real_server: Server, model: LocalModel, ask: Ask, way: str, style: str) -> None:
    """The real model's words, tool calls, JSON, events and usage are through us what they are without us."""
    for _ in range(2):  # what the model remembers of a prompt is the same from then on
        async with client_of(ask, real_server, model.url, way="direct", style=style) as direct:
            wanted = await answers_of(ask, direct, REAL)
    async with client_of(ask, real_server, model.url, way=way, style=style) as client:
        result = await answers_of(ask, client, REAL)
    assert _lasting(result) == _lasting(wanted)
    check_ledger(real_server, ask, result)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["chat-image", "message-image"])
async def test_the_real_models_own_error(real_server: Server, model: LocalModel, way: str, kind: str) -> None:
    """What the real model can't do is through us the same exception with the same body."""
    (ask,) = (one for one in ASKS if one.name == kind)
    errors: list[tuple[type[Exception], object]] = []
    for one in ("direct", way):
        async with client_of(ask, real_server, model.url, way=one, style="async") as client:
            with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as caught:
                await answers_of(ask, client, REAL)
            assert isinstance(caught.value, openai.APIStatusError | anthropic.APIStatusError)
            errors.append((caught.type, caught.value.body))
    assert errors[0] == errors[1]
    assert _rows(real_server)[0].status == "failed"


def _lasting(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return *value* without what is by chance."""
    if isinstance(value, dict):
        return {key: _lasting(inner) for key, inner in value.items() if key not in BY_CHANCE}
    return [_lasting(inner) for inner in value] if isinstance(value, list) else value


def _chat(client: openai.OpenAI) -> None:
    client.chat.completions.create(
        model=MODELS["openai"], max_tokens=7, messages=[{"role": "user", "content": "tell me about the sea"}]
    )


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

    client = openai.OpenAI(api_key="sk-test", max_retries=0, http_client=server.governor.http_client("openai"))

    def work(number: int) -> None:
        with sg.attribution(job=f"job-{number}", tags={"number": str(number)}), sg.attribution(layer=f"l{number}"):
            _chat(client)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    client.close()
    found = {(row.job, row.layer, row.tags["number"]) for row in _rows(server)}
    assert found == {(f"job-{number}", f"l{number}", str(number)) for number in range(24)}
