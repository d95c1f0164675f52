from __future__ import annotations

import json

import httpx2
import pytest

from switchgear.drills.sandbox import Sandbox
from switchgear.testing import ManualClock

_CHAT = "/v1/chat/completions"
_ASKED = {"model": "m", "messages": [{"role": "user", "content": "one two three"}]}
_STREAM = _ASKED | {"stream": True}


def _fault(text: str) -> dict[str, str]:
    return {"x-sandbox-fault": text}


@pytest.mark.parametrize("body", [_ASKED, _STREAM])
def test_a_reset_is_a_broken_connection_without_an_answer(
    sandbox: Sandbox, client: httpx2.Client, body: dict[str, object]
) -> None:
    """``reset`` breaks the connection before a single byte, and nothing counts as served."""
    with pytest.raises(httpx2.ReadError, match="reset"):
        client.post(_CHAT, json=body, headers=_fault("reset"))

    stats = sandbox.wait_until(lambda now: now.under_way == 0)

    assert (stats.received, stats.served, stats.aborted) == (1, 0, 0)


def test_a_cut_stream_ends_after_its_chunks(sandbox: Sandbox, client: httpx2.Client) -> None:
    """``cut=4`` sends four events to the byte, then closes; the book has the tokens of these four alone."""
    received: list[bytes] = []
    with (
        client.stream("POST", _CHAT, json=_STREAM, headers=_fault("cut=4")) as answer,
        pytest.raises(httpx2.RemoteProtocolError, match="incomplete chunked read"),
    ):
        received.extend(answer.iter_raw())

    stats = sandbox.wait_until(lambda now: now.under_way == 0)

    assert b"".join(received).count(b"data: ") == 4
    assert (stats.output_tokens, stats.served, stats.aborted, stats.streams_open) == (3, 1, 0, 0)


def test_a_cut_body_is_shorter_than_it_says(client: httpx2.Client) -> None:
    """``cut=2`` of a body sends 64 bytes of it."""
    with pytest.raises(httpx2.RemoteProtocolError, match="received 64 bytes"):
        client.post(_CHAT, json=_ASKED, headers=_fault("cut=2"))


@pytest.mark.parametrize(("fault", "error"), [("cut=99", httpx2.RemoteProtocolError), ("hang=99", httpx2.ReadTimeout)])
def test_a_late_fault_takes_the_end_alone(
    sandbox: Sandbox, client: httpx2.Client, fault: str, error: type[Exception]
) -> None:
    """A cut or a hang behind the last event sends all of them and never says the end."""
    with pytest.raises(error):
        client.post(_CHAT, json=_STREAM, headers=_fault(fault), timeout=0.2)

    assert sandbox.wait_until(lambda now: now.under_way == 0).output_tokens == 16


def test_a_malformed_body_is_no_json(client: httpx2.Client) -> None:
    """``malformed`` answers 200 with half a document, whole on the wire."""
    answer = client.post(_CHAT, json=_ASKED, headers=_fault("malformed"))

    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_malformed_stream_has_one_bad_event(client: httpx2.Client) -> None:
    """``malformed`` breaks the second event and no other."""
    answer = client.post(_CHAT, json=_STREAM, headers=_fault("malformed"))
    good = []
    for event in answer.text.strip().split("\n\n")[:-1]:
        try:
            json.loads(event.removeprefix("data: "))
        except ValueError:
            good.append(False)
        else:
            good.append(True)

    assert good[:3] == [True, False, True]
    assert good.count(False) == 1


@pytest.mark.parametrize(("fault", "served"), [("hang", 0), ("hang=2", 1)])
def test_a_hang_lasts_until_the_client_goes(sandbox: Sandbox, client: httpx2.Client, fault: str, served: int) -> None:
    """``hang`` answers nothing (``hang=2``: two chunks) and counts the client that left."""
    with pytest.raises(httpx2.ReadTimeout):
        client.post(_CHAT, json=_STREAM, headers=_fault(fault), timeout=0.05)

    stats = sandbox.wait_until(lambda now: now.under_way == 0)

    assert (stats.served, stats.aborted, stats.streams_open) == (served, 1, 0)


def test_a_client_that_leaves_a_stream_is_noticed(sandbox: Sandbox, client: httpx2.Client) -> None:
    """A stream stops when its reader goes: what was not sent is not in the book."""
    with client.stream("POST", _CHAT, json=_STREAM, headers=_fault("output=5000;chunk_delay=1ms")) as answer:
        next(answer.iter_raw())
    stats = sandbox.wait_until(lambda now: now.under_way == 0)

    assert (stats.aborted, stats.streams_open) == (1, 0)
    assert stats.output_tokens < 5000


@pytest.mark.parametrize(
    ("fault", "body", "waited"),
    [("latency=250ms", _ASKED, 0.25), ("chunk_delay=1s", _STREAM | {"max_tokens": 2}, 4.0)],
)
def test_waits_take_their_time_on_the_clock(fault: str, body: dict[str, object], waited: float) -> None:
    """Latency waits once, a chunk delay before every chunk but the first; on the clock that was given."""
    clock = ManualClock()
    with Sandbox(clock=clock) as sandbox:
        answer = httpx2.post(sandbox.url + _CHAT, json=body, headers=_fault(fault))

    assert answer.status_code == 200
    assert clock.monotonic() == waited


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (_CHAT, _ASKED),
        ("/v1/messages", _ASKED | {"max_tokens": 5}),
        ("/v1/responses", {"model": "m", "input": "x"}),
    ],
)
def test_usage_can_be_left_out(client: httpx2.Client, path: str, body: dict[str, object]) -> None:
    """``usage=none`` answers without a word of usage, streamed or not."""
    whole = client.post(path, json=body, headers=_fault("usage=none"))
    stream = client.post(
        path,
        json=body | {"stream": True, "stream_options": {"include_usage": True}},
        headers=_fault("usage=none"),
    )

    assert "usage" not in whole.json()
    assert '_tokens":' not in stream.text


def test_a_wrong_fault_is_a_400_that_says_so(client: httpx2.Client) -> None:
    """A header that is no fault is refused, so that a test can't pass by a slip of the pen."""
    answer = client.post(_CHAT, json=_ASKED, headers=_fault("statsu=503"))

    assert answer.status_code == 400
    assert "unknown fault 'statsu'" in answer.json()["error"]["message"]


def test_waiting_faults_go_to_their_path_in_turn(sandbox: Sandbox, client: httpx2.Client) -> None:
    """A queued fault hits its path as often as asked; a request's own header goes first and uses none up."""
    sandbox.fault("status=503", times=2, path="/scrape")
    statuses = [
        client.get("/other").status_code,
        client.get("/scrape", headers=_fault("status=418")).status_code,
        client.get("/scrape").status_code,
        client.get("/scrape").status_code,
        client.get("/scrape").status_code,
    ]

    assert statuses == [200, 418, 503, 503, 200]


@pytest.mark.parametrize(
    ("path", "answer"), [("/scrape", {"ok": True, "pages": 1}), ("/a/b?pages=12", {"ok": True, "pages": 12})]
)
def test_any_other_path_is_a_plain_service(client: httpx2.Client, path: str, answer: dict[str, object]) -> None:
    """A path that is no provider's says how many pages it read, for any method."""
    assert client.get(path).json() == answer
    assert client.post(path, content=b"\x00not json").json() == answer


def test_a_missing_page_is_a_404(client: httpx2.Client) -> None:
    """``/missing`` is there to be missing, and half a page can't be asked for."""
    assert client.get("/missing").status_code == 404
    assert client.get("/scrape?pages=0.5").status_code == 400


def test_a_slow_body_comes_whole(client: httpx2.Client) -> None:
    """A chunk delay takes nothing away."""
    whole = client.post(_CHAT, json=_ASKED)
    slow = client.post(_CHAT, json=_ASKED, headers=_fault("chunk_delay=1ms"))

    assert slow.content == whole.content


@pytest.mark.parametrize(("path", "shape"), [(_CHAT, "error"), ("/v1/messages", "type")])
def test_what_is_no_json_or_no_post_is_refused(client: httpx2.Client, path: str, shape: str) -> None:
    """A body that is no JSON object gets 400, a GET gets 405, in the provider's shape."""
    answers = [client.post(path, content=b"{"), client.post(path, content=b"[]"), client.get(path)]

    assert [answer.status_code for answer in answers] == [400, 400, 405]
    assert all(shape in answer.json() for answer in answers)


def test_a_key_is_required_if_set() -> None:
    """With ``require_key``, either header bears the key; without it, 401 in the provider's shape."""
    with Sandbox(require_key="sk-good") as sandbox, httpx2.Client(base_url=sandbox.url) as client:
        statuses = [
            client.post(_CHAT, json=_ASKED, headers=headers).status_code
            for headers in (
                {},
                {"authorization": "Bearer sk-bad"},
                {"authorization": "Bearer sk-good"},
                {"x-api-key": "sk-good"},
            )
        ]

    assert statuses == [401, 401, 200, 200]
