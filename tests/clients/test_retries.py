from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from switchgear.config import Config
from switchgear.context import attribution
from switchgear.drills.sandbox import Sandbox
from switchgear.errors import BreakerOpen, BudgetExceeded
from switchgear.ledger.views import CallFilter
from switchgear.server import Server
from switchgear.testing import FakeProvider, ManualClock, open_breaker

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}
STREAM = {**CHAT, "stream": True}
Client = Any  # the fixture's class lives in conftest.py, which tests can't import from


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_a_failure_of_the_service_is_tried_again(client: Client, provider: FakeProvider, status: int) -> None:
    """One answer for the caller, two rows in the ledger under one call id, and the header that says so."""
    provider.fault(f"status={status}")
    answer = client.send()

    assert answer.status_code == 200
    assert answer.headers["x-switchgear-attempts"] == "2"
    assert "x-should-retry" not in answer.headers
    assert client.story() == [("main", 1, "failed", status), ("main", 2, "ok", 200)]
    first, second = client.rows()
    assert first.call_id == second.call_id == answer.headers["x-switchgear-call-id"]
    assert first.cost == 0
    assert second.cost == second.input_tokens * 1_000 + second.output_tokens * 2_000


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_an_error_of_the_caller_is_not_tried_again(client: Client, provider: FakeProvider, status: int) -> None:
    """What the caller did wrong stays wrong."""
    provider.fault(f"status={status}")
    answer = client.send()

    assert answer.status_code == status
    assert "x-switchgear-attempts" not in answer.headers
    assert client.story() == [("main", 1, "failed", status)]


def test_attempts_are_used_up_and_the_last_answer_is_the_callers(client: Client, provider: FakeProvider) -> None:
    """The third failure goes to the caller as it is, and asks SDKs not to multiply our attempts by theirs."""
    provider.fault("status=500", times=2)
    provider.fault("status=502")
    answer = client.send()

    assert (answer.status_code, answer.headers["x-switchgear-attempts"]) == (502, "3")
    assert answer.headers["x-should-retry"] == "false"
    assert [status for *_, status in client.story()] == [500, 500, 502]


def test_the_waits_double_on_the_gates_clock(client: Client, provider: FakeProvider) -> None:
    """Half of one second, then half of two: full jitter with a draw of one half."""
    provider.fault("status=500", times=2)
    client.send()

    assert client.began() == [0, 0.5, 1.5]


def test_retry_after_is_honoured(client: Client, provider: FakeProvider) -> None:
    """The service says when, and the jitter comes on top."""
    provider.fault("status=429;retry_after=7")
    client.draw = 0.0

    assert client.send().status_code == 200
    assert client.began() == [0, 7]


def test_a_retry_after_that_is_too_long_ends_it(client: Client, provider: FakeProvider) -> None:
    """Beyond max_backoff the caller gets the 429 with its Retry-After at once."""
    provider.fault("status=429;retry_after=11")
    answer = client.send()

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "11")
    assert len(client.rows()) == 1


def test_the_deadline_is_the_services_timeout(client: Client, provider: FakeProvider) -> None:
    """No attempt begins when the call's time is up, however many there are left."""
    provider.fault("latency=58s;status=500")
    provider.fault("latency=1s;status=500")

    assert client.send().status_code == 500
    assert client.began() == [0, 58.5]


def test_time_outs_of_later_attempts_end_with_the_call(client: Client, provider: FakeProvider) -> None:
    """What is left of the call is all that a later attempt may take."""
    provider.fault("latency=40s;status=500")
    client.send()
    first, second = (request.extensions["timeout"] for request in provider.requests)

    assert first == {"read": 60.0, "connect": None}
    assert second == {"read": 19.5, "connect": 19.5}


def test_x_should_retry_false_is_honoured(client: Client, provider: FakeProvider) -> None:
    """A provider that asks not to be asked again is not."""
    provider.reply(status=429, headers={"x-should-retry": "false"}, json={})

    assert client.send().status_code == 429
    assert len(client.rows()) == 1


def test_a_connection_that_never_was_is_tried_again(client: Client, provider: FakeProvider) -> None:
    """Nothing was sent, so nothing can happen twice."""
    provider.fault("refuse", times=2)

    assert client.send().status_code == 200
    assert client.story() == [("main", 1, "failed", None), ("main", 2, "failed", None), ("main", 3, "ok", 200)]
    assert [row.cost for row in client.rows()][:2] == [0, 0]


def test_a_connection_error_after_all_attempts_is_raised(client: Client, provider: FakeProvider) -> None:
    """The caller gets the error of the last attempt."""
    provider.fault("refuse", times=3)
    with pytest.raises(httpx2.ConnectError):
        client.send()

    assert len(client.rows()) == 3


@pytest.mark.parametrize("fault", ["reset", "hang", "cut=1"])
def test_a_post_that_broke_off_is_not_sent_twice(client: Client, provider: FakeProvider, fault: str) -> None:
    """The provider may have served and billed it, so its reservation is spent and the caller decides."""
    provider.fault(fault)
    with pytest.raises(httpx2.TransportError):
        client.send()

    (row,) = client.rows()
    assert (row.status, row.estimated) == ("failed", True)
    assert row.cost


@pytest.mark.parametrize("fault", ["reset", "hang", "cut=1"])
def test_a_post_with_an_idempotency_key_is(client: Client, provider: FakeProvider, fault: str) -> None:
    """The caller has said that twice is once; the key goes out unchanged with every attempt."""
    provider.fault(fault)

    assert client.send(headers={"idempotency-key": "k"}).status_code == 200
    assert [request.headers["idempotency-key"] for request in provider.requests] == ["k", "k"]


def test_a_get_that_broke_off_is_tried_again(client: Client, provider: FakeProvider) -> None:
    """GET does the same twice as once."""
    provider.fault("reset")

    assert client.send("web", "/pages?pages=2", method="GET").status_code == 200
    assert client.story() == [("web", 1, "failed", None), ("web", 2, "ok", 200)]


@pytest.mark.parametrize(("status", "attempts"), [(429, 2), (503, 2), (500, 1), (502, 1), (504, 1)])
def test_a_post_to_an_unknown_api_goes_out_again_only_if_it_was_turned_away(
    client: Client, provider: FakeProvider, status: int, attempts: int
) -> None:
    """A 500 may have come after the effect; a 503 says that there was none."""
    provider.fault(f"status={status}")
    client.send("web", "/orders")

    assert len(client.rows()) == attempts


def test_a_billed_answer_is_kept_whatever_is_in_it(client: Client, provider: FakeProvider) -> None:
    """A 200 that can't be read is a failure of the service, and may have been paid for: it is not bought again."""
    provider.fault("malformed")

    assert client.send().status_code == 200
    assert [row.status for row in client.rows()] == ["failed"]


def test_a_stream_is_tried_again_before_its_first_byte(client: Client, provider: FakeProvider) -> None:
    """A stream that begins with an error of the service has given the caller nothing yet."""
    provider.fault("error_event=0")
    answer = client.send(json=STREAM)

    assert answer.headers["x-switchgear-attempts"] == "2"
    assert b"error" not in answer.content
    assert answer.content.rstrip().endswith(b"data: [DONE]")
    assert client.story() == [("main", 1, "failed", 200), ("main", 2, "ok", 200)]


@pytest.mark.parametrize("fault", ["error_event=1", "cut=1"])
def test_a_stream_is_never_tried_again_after_its_first_byte(client: Client, provider: FakeProvider, fault: str) -> None:
    """What has gone to the caller can't be taken back."""
    provider.fault(fault)
    if fault == "cut=1":
        with pytest.raises(httpx2.TransportError):
            client.send(json=STREAM)
    else:
        assert b"error" in client.send(json=STREAM).content

    assert [row.status for row in client.rows()] == ["failed"]


def test_a_failed_stream_after_all_attempts_is_the_callers(client: Client, provider: FakeProvider) -> None:
    """The error event of the last attempt reaches the caller byte for byte."""
    provider.fault("error_event=0", times=3)
    answer = client.send(json=STREAM)

    assert (answer.status_code, answer.headers["x-switchgear-attempts"]) == (200, "3")
    assert b'"error"' in answer.content


def test_breaker_an_attempt_that_the_breaker_will_refuse_is_not_waited_for(
    client: Client, provider: FakeProvider, clock: ManualClock
) -> None:
    """When the breaker opens half-way the caller gets the failed answer at once."""
    provider.fault("status=500", times=None)
    client.send()
    client.draw = 0.9
    before = clock.monotonic()
    answer = client.send()

    assert answer.status_code == 500
    assert len(client.rows()) == 4  # the fourth failure in a row opens it
    assert clock.monotonic() == before


def test_breaker_a_refusal_of_a_later_attempt_does_not_hide_the_answer(client: Client, provider: FakeProvider) -> None:
    """Somebody opens the breaker during the wait: on record is the refusal, and the caller gets the 500."""

    def opened() -> float:
        opening.__enter__()
        return 0.0

    opening = open_breaker(client.governor, "main")
    provider.fault("status=500")
    client.jitter = opened
    answer = client.send()
    opening.__exit__(None, None, None)

    assert answer.status_code == 500
    assert [(row.attempt, row.status, row.refused_by) for row in client.rows()] == [
        (1, "failed", None),
        (2, "refused", "breaker"),
    ]


def test_budget_13_each_attempt_reserves_and_settles_on_its_own(client: Client, provider: FakeProvider) -> None:
    """The second attempt does not fit after the first was spent: it is refused, and the caller gets the first error."""
    provider.fault("reset", times=2)
    with attribution(job="small"), pytest.raises(httpx2.ReadError):
        client.send("web", "/pages", method="GET")

    first, second = client.rows()
    assert (first.status, first.cost, second.status, second.refused_by) == ("failed", 1_000_000, "refused", "budget")
    assert first.call_id == second.call_id
    assert len(provider.requests) == 1


def test_a_refused_first_attempt_is_the_refusal(client: Client, provider: FakeProvider) -> None:
    """Nothing was sent, so the caller gets the gate's no, in the provider's shape or as an exception."""
    with attribution(job="small"):
        answer = client.send(json={**CHAT, "max_tokens": 5_000})
        with pytest.raises(BudgetExceeded):
            client.send(json={**CHAT, "max_tokens": 5_000}, refusals="raise")

    assert (answer.status_code, answer.headers["x-switchgear-refused"]) == (402, "budget")
    assert provider.requests == []
    assert [row.attempt for row in client.rows()] == [1, 1]


def test_fallback_follows_used_up_attempts(make_client: Callable[..., Client], provider: FakeProvider) -> None:
    """Budget 13: the other service answers under its own URL, price and row, in the same call."""
    client = make_client(fallback=["other", "third"])
    provider.fault("status=500", times=3)
    answer = client.send(path="/v1/chat/completions?a=%2Fb")

    assert answer.status_code == 200
    assert (answer.headers["x-switchgear-attempts"], answer.headers["x-switchgear-service"]) == ("4", "other")
    assert client.urls()[2:] == [
        "http://main.test/base/v1/chat/completions?a=%2Fb",
        "http://other.test/v1/chat/completions?a=%2Fb",
    ]
    assert provider.requests[-1].headers["host"] == "other.test"
    assert [(row.service, row.attempt) for row in client.rows()][-1] == ("other", 4)
    assert len({row.call_id for row in client.rows()}) == 1
    last = client.rows()[-1]
    assert last.cost == last.input_tokens * 10_000 + last.output_tokens * 20_000


def test_fallback_follows_an_open_breaker(make_client: Callable[..., Client], provider: FakeProvider) -> None:
    """A service that is known to be down is not waited for."""
    client = make_client(fallback=["other"])
    with open_breaker(client.governor, "main"):
        answer = client.send()

    assert (answer.status_code, answer.headers["x-switchgear-service"]) == (200, "other")
    assert "x-switchgear-attempts" not in answer.headers
    assert [(row.service, row.attempt, row.status) for row in client.rows()] == [
        ("main", 1, "refused"),
        ("other", 2, "ok"),
    ]


def test_fallback_follows_a_breaker_that_opens_half_way(
    make_client: Callable[..., Client], provider: FakeProvider, clock: ManualClock
) -> None:
    """When the breaker opens, the rest of the attempts go elsewhere without a wait."""
    client = make_client(fallback=["third"])
    provider.fault("status=500", times=3)
    client.send()
    before = clock.monotonic()
    provider.fault("status=500")  # the fourth in a row opens the breaker
    answer = client.send()

    assert answer.headers["x-switchgear-service"] == "third"
    assert clock.monotonic() == before
    assert client.story()[-2:] == [("main", 1, "failed", 500), ("third", 2, "ok", 200)]
    assert client.urls()[-1] == "http://third.test/v9/v1/chat/completions"


def test_fallback_never_loops(make_client: Callable[..., Client], provider: FakeProvider) -> None:
    """Each service gets its own attempts once, and then the last answer is the caller's."""
    client = make_client(fallback=["other", "third"])
    provider.fault("status=500", times=None)
    answer = client.send()

    assert (answer.status_code, answer.headers["x-switchgear-attempts"]) == (500, "6")
    assert [row.service for row in client.rows()] == ["main"] * 3 + ["other"] + ["third"] * 2
    assert [row.attempt for row in client.rows()] == [1, 2, 3, 4, 5, 6]


def test_fallback_does_not_hand_over_the_callers_key(
    make_client: Callable[..., Client], provider: FakeProvider
) -> None:
    """What proves who the caller is to one provider is none of the next one's business."""
    client = make_client(fallback=["other"])
    keys = {
        "authorization": "Bearer secret",
        "x-api-key": "secret",
        "api-key": "secret",
        "cookie": "secret",
        "x-a": "b",
    }
    with open_breaker(client.governor, "main"):
        client.send(headers=keys)

    (sent,) = provider.requests
    assert "secret" not in str(sent.headers.raw)
    assert sent.headers["x-a"] == "b"


def test_fallback_does_not_follow_what_may_have_been_served(
    make_client: Callable[..., Client], provider: FakeProvider
) -> None:
    """A POST that broke off is not sent to another provider either."""
    client = make_client(fallback=["other"])
    provider.fault("reset")
    with pytest.raises(httpx2.ReadError):
        client.send()

    assert len(provider.requests) == 1


def test_fallback_does_not_follow_other_refusals(make_client: Callable[..., Client], provider: FakeProvider) -> None:
    """A budget's no is the answer: another service is no way around it."""
    client = make_client(fallback=["other"])
    with attribution(job="small"):
        answer = client.send(json={**CHAT, "max_tokens": 5_000})

    assert (answer.status_code, len(client.rows())) == (402, 1)


def test_fallback_that_is_refused_too_leaves_the_first_refusal(make_client: Callable[..., Client]) -> None:
    """When every service is open the caller hears of the one that it asked for."""
    client = make_client(fallback=["other"])
    with open_breaker(client.governor, "main"), open_breaker(client.governor, "other"):
        with pytest.raises(BreakerOpen) as caught:
            client.send(refusals="raise")
        answer = client.send()

    assert caught.value.service == "main"
    assert (answer.status_code, answer.json()["switchgear"]["service"]) == (503, "main")


def test_a_stream_falls_back_before_its_first_byte(make_client: Callable[..., Client], provider: FakeProvider) -> None:
    """Streams have fallbacks as anything else."""
    client = make_client(fallback=["other"])
    provider.fault("error_event=0", times=3)
    answer = client.send(json=STREAM)

    assert answer.headers["x-switchgear-service"] == "other"
    assert answer.content.rstrip().endswith(b"data: [DONE]")


def test_one_attempt_is_one_attempt(client: Client, provider: FakeProvider) -> None:
    """A service without retry and fallback passes its first answer on as ever."""
    provider.fault("status=500")
    answer = client.send("other")

    assert answer.status_code == 500
    assert "x-should-retry" not in answer.headers
    assert len(client.rows()) == 1


class _Interrupted(BaseException):
    pass


def test_a_call_that_is_cancelled_while_it_waits_holds_nothing(
    client: Client, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt is settled before the wait, so there is nothing to give back."""

    def interrupted(*_: object) -> None:
        raise _Interrupted

    async def cancelled(*_: object) -> None:
        raise asyncio.CancelledError

    clock = client.governor.clock
    monkeypatch.setattr(clock, "sleep", interrupted)
    monkeypatch.setattr(clock, "asleep", cancelled)
    provider.fault("status=500")
    with pytest.raises(asyncio.CancelledError if client.is_async else _Interrupted):
        client.send()

    assert client.story() == [("main", 1, "failed", 500)]
    moment = clock.moment()
    assert [view.reserved for view in client.governor.state.budgets(moment)] == [0]
    assert not any(view.used for view in client.governor.state.limits(moment) if view.rule == "concurrent")


CONFIG = """
[services.llm]
kind = "openai"
base_url = "{url}"
breaker = {{ failure_threshold = 100 }}
retry = {{ attempts = 3, backoff = "1ms" }}
fallback = ["spare"]
prices = {{ "m" = {{ input = "1", output = "2" }} }}

[services.spare]
kind = "openai"
base_url = "{url}"
prices = {{ "m" = {{ input = "10", output = "20" }} }}
"""


@pytest.mark.e2e
def test_the_gateway_retries_and_falls_back(sandbox: Sandbox, make_config: Callable[[str], Config]) -> None:
    """The same through real sockets: what the upstream served is what the ledger has, attempt by attempt."""
    with Server(make_config(CONFIG.format(url=sandbox.url)), port=0) as server:
        sandbox.fault("status=503", times=4)
        sandbox.fault("status=500", times=2)
        with httpx2.Client(base_url=server.url, timeout=10) as plain:
            failed = plain.post("/llm/v1/chat/completions", json=CHAT)
            streamed = plain.post("/llm/v1/chat/completions", json=STREAM)
        rows = server.governor.ledger.reader.calls(CallFilter()).items

    assert (failed.status_code, failed.headers["x-switchgear-attempts"]) == (503, "4")
    assert (streamed.status_code, streamed.headers["x-switchgear-attempts"]) == (200, "3")
    assert streamed.text.rstrip().endswith("data: [DONE]")
    assert [(row.service, row.attempt, row.http_status) for row in reversed(rows)] == [
        ("llm", 1, 503),
        ("llm", 2, 503),
        ("llm", 3, 503),
        ("spare", 4, 503),
        ("llm", 1, 500),
        ("llm", 2, 500),
        ("llm", 3, 200),
    ]
    assert sandbox.stats().by_status == {503: 4, 500: 2, 200: 1}
