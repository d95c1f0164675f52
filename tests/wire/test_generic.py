from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from switchgear.calls import NO_USAGE
from switchgear.wire.generic import GenericDialect

if TYPE_CHECKING:
    from switchgear.wire.base import RequestFacts

DIALECT = GenericDialect()


def facts(method: str = "POST", body: bytes = b"{}", content_type: str | None = None) -> RequestFacts:
    """Return what is read from a request to an API that we know nothing of."""
    return DIALECT.facts(method=method, path="/v1/scrape?x=1", content_type=content_type, body=body)


def test_a_request_has_an_endpoint_and_no_model() -> None:
    """What it uses is for the caller to say; the request itself is billable."""
    found = facts()

    assert (found.endpoint, found.model, found.bound, found.billable) == ("/v1/scrape", None, NO_USAGE, True)
    assert found.bound_within(max_output=None, window=None) == NO_USAGE


@pytest.mark.parametrize(("method", "billable"), [("GET", True), ("DELETE", True), ("HEAD", False), ("OPTIONS", False)])
def test_other_apis_may_bill_for_a_get(method: str, billable: bool) -> None:  # noqa: FBT001
    """Only requests that ask for nothing are free for sure."""
    assert facts(method=method).billable is billable


@pytest.mark.parametrize(
    ("body", "content_type", "is_json"),
    [
        (b'{"a":1}', "application/json", True),
        (b"[1]", None, True),
        (b"", None, False),
        (b"{", None, False),
        (b"[" * 100_000, None, False),
        (b"1", "text/plain", False),
    ],
)
def test_json_is_known_without_raising(body: bytes, content_type: str | None, is_json: bool) -> None:  # noqa: FBT001
    """Any body is taken, and only JSON is called so."""
    assert facts(body=body, content_type=content_type).is_json is is_json
    assert DIALECT.outgoing(facts(body=body), body) == body


@pytest.mark.parametrize(
    ("status", "verdict", "requests"), [(200, "success", 1), (404, "neutral", 0), (503, "failure", 0)]
)
def test_the_status_says_whether_it_worked(status: int, verdict: str, requests: int) -> None:
    """An answer with an error is not billed, not even per request."""
    reader = DIALECT.reader(facts(), status=status, headers=[("content-type", "text/html"), ("content-encoding", "br")])
    passed = reader.feed(b"ab") + reader.feed(b"c")
    reader.end()
    seen = reader.observe()

    assert passed + reader.flush() == b"abc"
    assert seen.verdict == verdict
    assert seen.usage is not None
    assert dict(seen.usage.units).get("request", 1) == requests


@pytest.mark.parametrize("content_type", ["text/event-stream; charset=utf-8", "application/x-ndjson"])
def test_streams_of_any_format_pass_as_they_come(content_type: str) -> None:
    """Nothing of an unknown stream is held back."""
    reader = DIALECT.reader(facts(), status=200, headers=[("content-type", content_type)])

    assert reader.feed(b"data: 1\n\n") == b"data: 1\n\n"
    assert reader.started
    reader.end()
    assert reader.flush() == b""
    assert reader.observe().usage == NO_USAGE
