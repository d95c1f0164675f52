from __future__ import annotations

from pathlib import Path

import anthropic
import httpx2
import openai
import pytest

from switchgear.config import Config
from switchgear.errors import BreakerOpen, ConfigError
from switchgear.ledger.views import CallFilter
from switchgear.state.base import State
from switchgear.testing import FakeProvider, ManualClock, fake_provider, governor, open_breaker

CHAT = "http://provider.test/v1/chat/completions"
BODY = {"model": "gpt-4o-mini", "max_tokens": 5, "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def provider() -> FakeProvider:
    """A fake provider of its own, without a gate before it."""
    return FakeProvider()


@pytest.fixture
def client(provider: FakeProvider) -> httpx2.Client:
    """A plain client of it."""
    return httpx2.Client(transport=provider)


def test_both_sdks_work_on_it_sync_and_streamed() -> None:
    """OpenAI's and Anthropic's own clients get text and usage, and the ledger has them."""
    with governor() as gov, fake_provider(gov):
        with openai.OpenAI(api_key="none", http_client=gov.http_client("openai")) as one:
            answer = one.chat.completions.create(model="gpt-4o-mini", max_tokens=5, messages=BODY["messages"])  # type: ignore[call-overload]  # a literal in a dict loses its type
            assert answer.usage.completion_tokens == 5
        with (
            anthropic.Anthropic(api_key="none", http_client=gov.http_client("anthropic")) as two,
            two.messages.stream(
                model="claude-haiku-4-5", max_tokens=5, messages=[{"role": "user", "content": "hello"}]
            ) as stream,
        ):
            assert "".join(stream.text_stream)
        rows = gov.ledger.reader.calls(CallFilter()).items
    assert [(row.service, row.output_tokens, row.status) for row in rows] == [
        ("anthropic", 5, "ok"),
        ("openai", 5, "ok"),
    ]


async def test_it_works_for_tasks_too() -> None:
    """The same object answers async clients; a latency moves the clock and takes no time."""
    with governor() as gov, fake_provider(gov) as provider:
        provider.fault("latency=3s")
        before = gov.clock.monotonic()
        async with gov.async_http_client("openai") as one:
            answer = await one.post("https://api.openai.com/v1/chat/completions", json={**BODY, "stream": True})
        assert answer.text.rstrip().endswith("data: [DONE]")
        assert gov.clock.monotonic() - before == 3


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("reset", httpx2.ReadError),
        ("refuse", httpx2.ConnectError),
        ("hang", httpx2.ReadTimeout),
        ("hang=1", httpx2.ReadTimeout),
        ("cut=1", httpx2.RemoteProtocolError),
    ],
)
def test_what_a_socket_would_show_is_raised(
    provider: FakeProvider, client: httpx2.Client, fault: str, raised: type[Exception]
) -> None:
    """Once, as httpx2 would raise it; the next request is served."""
    provider.fault(fault)
    with pytest.raises(raised):
        client.post(CHAT, json=BODY)

    assert client.post(CHAT, json=BODY).status_code == 200


def test_faults_wait_for_their_path_and_number(provider: FakeProvider, client: httpx2.Client) -> None:
    """A fault for one path leaves the others alone, and one without a number stays."""
    provider.fault("status=503;retry_after=2", path="/v1/embeddings")
    provider.fault("status=429", times=None, path="/v1/chat/completions")

    assert client.get("http://provider.test/pages?pages=3").json() == {"ok": True, "pages": 3}
    assert [client.post(CHAT, json=BODY).status_code for _ in range(3)] == [429] * 3
    answer = client.post("http://provider.test/api/v1/embeddings", json={"model": "m", "input": "x"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


def test_a_fault_that_is_none_is_told(provider: FakeProvider) -> None:
    """A typing error does not make a test pass."""
    with pytest.raises(ValueError, match="unknown fault"):
        provider.fault("statsu=503")


def test_a_reply_is_exactly_what_was_said(provider: FakeProvider, client: httpx2.Client) -> None:
    """JSON, bytes or an exception, in order, before any fault."""
    provider.fault("status=500")
    provider.reply(json={"a": 1}, status=201, headers={"x-b": "c"})
    provider.reply(content=b"data: [DONE]\n\n", headers={"content-type": "text/event-stream"})
    provider.reply(raises=OSError("no"))

    first, second = client.post(CHAT, json=BODY), client.post(CHAT, json=BODY)
    assert (first.status_code, first.json(), first.headers["x-b"]) == (201, {"a": 1}, "c")
    assert second.content == b"data: [DONE]\n\n"
    with pytest.raises(OSError, match="no"):
        client.post(CHAT, json=BODY)
    assert client.post(CHAT, json=BODY).status_code == 500
    assert len(provider.requests) == 4


def test_half_a_body_is_half_a_body(provider: FakeProvider, client: httpx2.Client) -> None:
    """A malformed answer is no JSON."""
    provider.fault("malformed")
    answer = client.post(CHAT, json=BODY)
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        answer.json()


def test_the_network_is_back_after_the_block() -> None:
    """Clients made outside the block have nothing to do with the fake provider."""
    with governor() as gov:
        with fake_provider(gov) as provider:
            assert gov.upstream is provider
        assert gov.upstream is None


def test_a_governor_takes_text_or_a_file(tmp_path: Path) -> None:
    """Your own configuration is used, but for its ledger: nothing is written."""
    text = f'[ledger]\nurl = "sqlite:///{tmp_path}/real.db"\n[services.mine]\nkind = "http"\n'
    (tmp_path / "switchgear.toml").write_text(text, encoding="utf-8")
    for settings in (text, tmp_path / "switchgear.toml"):
        with governor(settings, clock=ManualClock(5)) as gov:
            assert "mine" in gov.config.services
            assert gov.clock.now() == 5
            with gov.call("mine"):
                pass
    assert [path.name for path in tmp_path.iterdir()] == ["switchgear.toml"]


def test_a_breaker_is_open_inside_the_block_and_closed_after_it() -> None:
    """Whatever time does; and what was counted before is forgotten."""
    with governor() as gov:
        with open_breaker(gov, "openai"):
            for _ in range(2):
                with pytest.raises(BreakerOpen), gov.call("openai", model="gpt-4o-mini", max_output_tokens=1):
                    pass
                gov.clock.sleep(86_400)
        with gov.call("openai", model="gpt-4o-mini", max_output_tokens=1) as call:
            assert call.id


def test_only_what_exists_can_be_opened() -> None:
    """An unknown service is a ConfigError, and another state than memory is told."""
    with governor() as gov:
        with pytest.raises(ConfigError, match="opnai"), open_breaker(gov, "opnai"):
            pass
        real: State = gov.state
        try:
            object.__setattr__(gov, "state", object())
            with pytest.raises(TypeError, match="in memory only"), open_breaker(gov, "openai"):
                pass
        finally:
            object.__setattr__(gov, "state", real)


def test_the_examples_configuration_is_in_force() -> None:
    """The built-in services are there without a word."""
    with governor() as gov:
        assert isinstance(gov.config, Config)
        assert {"openai", "anthropic"} <= set(gov.config.services)
