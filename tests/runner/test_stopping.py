from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from switchgear.clients.governor import Governor
from switchgear.config import load_text
from switchgear.drills.sandbox import Sandbox
from switchgear.runner import LayerFailed, Runner, governor, layer, log, pipeline

pytestmark = pytest.mark.e2e

SETTINGS = """
[services.llm]
kind = "openai"
base_url = "{url}"
prices = {{ "m" = {{ input = "1", output = "2" }} }}
retry = {{ attempts = 1 }}
"""
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}


class Seen:
    """What the plain layer came to."""

    begun = threading.Event()
    ended = threading.Event()


@layer()
async def ask() -> str:
    """Ask the provider."""
    async with governor().async_http_client("llm") as client:
        answer = await client.post("/v1/chat/completions", json=CHAT)
        return str(answer.status_code)


@pipeline()
async def asking() -> str:
    """One call."""
    return await ask()


@pipeline()
async def both() -> list[str]:
    """Two calls side by side, one of which the pipeline does without."""
    found = await asyncio.gather(ask(), broken(), return_exceptions=True)
    return [type(one).__name__ for one in found]


@layer()
async def broken() -> str:
    """Fail."""
    msg = "always"
    raise OSError(msg)


@layer()
def grind() -> None:
    """Work without a pause, and say so now and then."""
    Seen.begun.set()
    try:
        while True:
            log("still at it")
            time.sleep(0.02)
    finally:
        Seen.ended.set()


@pipeline()
def grinding() -> None:
    """One plain layer that never ends by itself."""
    grind()


@pipeline()
async def stubborn() -> str:
    """Catch everything that it can."""
    try:
        return await ask()
    except Exception:  # noqa: BLE001 - the point of the test
        return "caught"


@pytest.fixture(scope="module")
def provider() -> Iterator[Sandbox]:
    """Give a provider."""
    with Sandbox() as one:
        yield one


@pytest.fixture(scope="module")
def runner(provider: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Give a runner whose layers ask that provider."""
    folder = tmp_path_factory.mktemp("stopping")
    environ = {"SWITCHGEAR_LEDGER__URL": f"sqlite:///{folder}/ledger.db"}
    pipelines = (asking, both, grinding, stubborn)
    with (
        Governor(load_text(SETTINGS.format(url=provider.url), environ=environ)) as gate,
        Runner(gate, url=f"sqlite:///{folder}/runs.db", pipelines=pipelines, heartbeat="50ms", drain="1s") as one,
    ):
        yield one


def until(condition: Callable[[], Any]) -> None:
    """Wait for *condition*."""
    ends = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


@pytest.mark.parametrize("name", ["asking", "stubborn"])
def test_a_cancelled_run_breaks_off_its_request_to_the_provider(runner: Runner, provider: Sandbox, name: str) -> None:
    """The provider sees its client leave, though the pipeline catches whatever it can."""
    provider.reset()
    provider.fault("latency=60s", times=1)
    run = runner.submit(name)
    until(lambda: provider.stats().under_way == 1)
    runner.cancel(run)
    assert runner.wait(run, timeout=5).status == "cancelled"
    assert provider.wait_until(lambda stats: stats.aborted == 1).under_way == 0


def test_a_plain_layer_is_left_behind_and_ends_when_it_speaks(runner: Runner) -> None:
    """A cancelled run ends at once; the thread of its plain layer ends at its next word."""
    run = runner.submit("grinding")
    assert Seen.begun.wait(10)
    runner.cancel(run)
    assert runner.wait(run, timeout=5).status == "cancelled"
    assert Seen.ended.wait(5)


def test_layers_side_by_side_each_have_their_end(runner: Runner, provider: Sandbox) -> None:
    """One that fails does not stop the other, and both are on record as they ended."""
    provider.reset()
    run = runner.submit("both")
    view = runner.wait(run, timeout=20)
    assert view.output == ["str", LayerFailed.__name__]
    assert [(one.layer, one.status) for one in view.layers] == [("ask", "ok"), ("broken", "failed")]


def test_a_provider_that_is_down_fails_the_layer_and_the_run_goes_on_later(runner: Runner, provider: Sandbox) -> None:
    """What an outage has failed is resumed when it is over."""
    provider.reset()
    provider.fault("status=503", times=1)
    run = runner.submit("stubborn")
    assert runner.wait(run, timeout=20).output == "503"
    provider.fault("reset", times=1)
    lost = runner.submit("asking")
    view = runner.wait(lost, timeout=20)
    assert view.status == "failed"
    runner.resume(lost)
    assert runner.wait(lost, timeout=20).output == "200"
