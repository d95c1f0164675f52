from __future__ import annotations

import httpx2
import pytest

from switchgear.drills.demo.relay import CountingRelay
from switchgear.drills.sandbox import Sandbox

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello there"}]}


def test_answers_pass_as_they_are_and_are_counted() -> None:
    """Status, headers and body are the upstream's, streamed or not, and each answer counts once."""
    with Sandbox() as sandbox, CountingRelay(sandbox.url) as relay, httpx2.Client(trust_env=False) as http:
        for body in (CHAT, {**CHAT, "stream": True}, {"model": "m"}):
            direct = http.post(f"{sandbox.url}/v1/chat/completions", json=body)
            relayed = http.post(f"{relay.url}/v1/chat/completions", json=body)

            assert relayed.status_code == direct.status_code
            assert relayed.headers["content-type"] == direct.headers["content-type"]
            assert relayed.content == direct.content
        assert http.get(f"{relay.url}/scrape?pages=2").json() == {"ok": True, "pages": 2}

        assert relay.served == 4
        assert sandbox.wait_until(lambda stats: stats.under_way == 0).served == 7


def test_what_is_cut_is_cut_for_the_client_too() -> None:
    """A stream that breaks off is not made to look complete."""
    with Sandbox() as sandbox, CountingRelay(sandbox.url) as relay, httpx2.Client(trust_env=False) as http:
        sandbox.fault("cut=2", times=1)

        with pytest.raises(httpx2.TransportError):
            http.post(f"{relay.url}/v1/chat/completions", json={**CHAT, "stream": True})


def test_what_does_not_answer_is_not_counted() -> None:
    """An upstream that hangs up before it answers has served nothing."""
    with Sandbox() as sandbox, CountingRelay(sandbox.url) as relay, httpx2.Client(trust_env=False) as http:
        sandbox.fault("reset", times=1)

        with pytest.raises(httpx2.TransportError):
            http.post(f"{relay.url}/v1/chat/completions", json=CHAT)
        assert relay.served == 0
