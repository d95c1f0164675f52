from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from switchgear.drills.sandbox import Sandbox

if TYPE_CHECKING:
    import httpx2

_CHAT = "/v1/chat/completions"
_ASKED = {"model": "m", "messages": [{"role": "user", "content": "one two three"}]}


def test_the_book_has_what_was_served(sandbox: Sandbox, client: httpx2.Client) -> None:
    """Requests, statuses and tokens add up over bodies, streams and errors."""
    client.post(_CHAT, json=_ASKED)
    client.post(_CHAT, json=_ASKED | {"stream": True, "max_tokens": 5})
    client.post(_CHAT, json=_ASKED, headers={"x-sandbox-fault": "status=429"})
    client.get("/missing")
    stats = sandbox.wait_until(lambda now: now.under_way == 0)

    assert (stats.received, stats.served, stats.aborted, stats.streams_open) == (4, 4, 0, 0)
    assert stats.by_path == {_CHAT: 3, "/missing": 1}
    assert stats.by_status == {200: 2, 429: 1, 404: 1}
    assert (stats.input_tokens, stats.output_tokens) == (6, 21)


def test_a_request_is_kept_to_the_byte(sandbox: Sandbox, client: httpx2.Client) -> None:
    """Body, headers, query and the id of the answer are kept as they were."""
    body = b'{"model":  "m",\n"messages": []}'
    answer = client.post("/v1/messages?beta=true", content=body, headers={"X-Odd": "a  b", "x-api-key": "sk-1"})
    kept = sandbox.requests[0]

    assert kept.body == body
    assert kept.sha256 == hashlib.sha256(body).hexdigest()
    assert (kept.method, kept.path, kept.query) == ("POST", "/v1/messages", "beta=true")
    assert (kept.header("x-odd"), kept.header("x-api-key"), kept.header("absent")) == ("a  b", "sk-1", None)
    assert answer.headers["x-request-id"] == answer.headers["request-id"] == kept.id


def test_keys_are_not_told_over_the_wire(sandbox: Sandbox, client: httpx2.Client) -> None:
    """``/-/requests`` and a printed request show no key."""
    client.post(_CHAT, json=_ASKED, headers={"authorization": "Bearer sk-secret"})
    told = client.get("/-/requests")

    assert told.json()[0]["body_sha256"] == sandbox.requests[0].sha256
    assert "sk-secret" not in told.text + repr(sandbox.requests)


def test_the_controls_work_over_http(sandbox: Sandbox, client: httpx2.Client) -> None:
    """Faults are set and cleared, the book read and reset, by HTTP as by Python; no control is in the book."""
    client.post("/-/faults", json={"fault": "status=500", "times": 1, "path": "/a"})
    client.post("/-/faults", json={"fault": "status=502"})
    statuses = [client.get("/a").status_code, client.get("/a").status_code]
    client.delete("/-/faults")
    statuses.append(client.get("/a").status_code)
    sandbox.wait_until(lambda now: now.under_way == 0)

    assert statuses == [500, 502, 200]
    assert client.get("/-/stats").json()["by_status"] == {"500": 1, "502": 1, "200": 1}
    assert client.post("/-/reset").json() == {"ok": True}
    assert sandbox.stats().received == 0
    assert sandbox.requests == ()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"fault": "nonsense"}', b'{"fault": "reset", "times": "x"}'])
def test_a_wrong_control_is_refused(client: httpx2.Client, body: bytes) -> None:
    """What is no fault is a 400, an unknown control a 404."""
    assert client.post("/-/faults", content=body).status_code == 400
    assert client.get("/-/nothing").status_code == 404


def test_waiting_for_what_never_comes_ends() -> None:
    """*wait_until* gives up when nothing happens any more, and says what it saw."""
    with Sandbox() as sandbox, pytest.raises(TimeoutError, match=r"saw nothing for 0\.01 s: Stats"):
        sandbox.wait_until(lambda now: now.received == 1, patience=0.01)


def test_python_resets_faults_and_book(sandbox: Sandbox, client: httpx2.Client) -> None:
    """*reset* starts anew, *clear_faults* leaves the book."""
    sandbox.fault("status=500")
    client.get("/a")
    sandbox.clear_faults()
    client.get("/a")
    sandbox.wait_until(lambda now: now.under_way == 0)

    assert sandbox.stats().by_status == {500: 1, 200: 1}

    sandbox.fault("status=500")
    sandbox.reset()

    assert sandbox.stats().by_status == {}
    assert client.get("/a").status_code == 200
