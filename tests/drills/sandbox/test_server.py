from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading

import httpx2
import pytest

from switchgear.drills.sandbox import Sandbox

_ASKED = {"model": "m", "messages": [{"role": "user", "content": "one two three"}]}


@pytest.mark.parametrize("stream", [False, True])
async def test_two_hundred_parallel_calls_are_all_served(*, stream: bool) -> None:
    """200 calls at once are 200 whole answers, and the book says so."""
    limits = httpx2.Limits(max_connections=200)
    with Sandbox() as sandbox:
        async with httpx2.AsyncClient(base_url=sandbox.url, limits=limits, timeout=30) as client:
            answers = await asyncio.gather(
                *(client.post("/v1/chat/completions", json=_ASKED | {"stream": stream}) for _ in range(200))
            )
        stats = await asyncio.to_thread(sandbox.wait_until, lambda now: now.under_way == 0)

    assert {answer.status_code for answer in answers} == {200}
    assert (stats.served, stats.output_tokens, stats.streams_open) == (200, 3200, 0)


def test_a_taken_port_is_an_error(sandbox: Sandbox) -> None:
    """A port that is in use is an OSError at the start, not a sandbox that nobody reaches."""
    with pytest.raises(OSError, match="in use"), Sandbox(port=sandbox.port):
        pass


def test_it_stops_at_once_and_starts_again() -> None:
    """*close*, and so the end of ``with``, breaks what is open and frees the port for the next."""
    with Sandbox() as first, httpx2.Client(base_url=first.url) as client:
        first.fault("hang")
        broken = threading.Event()

        def call() -> None:
            with pytest.raises(httpx2.TransportError):
                client.get("/")
            broken.set()

        caller = threading.Thread(target=call)
        caller.start()
        first.wait_until(lambda now: now.under_way == 1)
        port = first.port
        first.close()
        caller.join()

    assert broken.is_set()
    with Sandbox(port=port) as second:
        assert httpx2.get(second.url).status_code == 200


@pytest.mark.e2e
def test_it_runs_as_a_process() -> None:
    """``python -m`` says ready once it answers, and SIGTERM ends it well."""
    command = [sys.executable, "-m", "switchgear.drills.sandbox", "--port", "0", "--require-key", "sk-1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        word, url = process.stdout.readline().split()
        answer = httpx2.post(f"{url}/v1/chat/completions", json=_ASKED, headers={"x-api-key": "sk-1"})
        process.send_signal(signal.SIGTERM)

    assert (word, answer.status_code, process.returncode) == ("ready", 200, 0)


@pytest.mark.e2e
def test_a_process_says_that_its_port_is_taken(sandbox: Sandbox) -> None:
    """A taken port is one line on standard error and exit 4."""
    command = [sys.executable, "-m", "switchgear.drills.sandbox", "--port", str(sandbox.port)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 4
    assert ended.stderr == f"can't listen on 127.0.0.1:{sandbox.port}: Address already in use\n"
