from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.calls import NO_USAGE, Usage
from switchgear.wire.bodies import NOT_BILLED
from switchgear.wire.counted import CountedDialect, Route
from switchgear.wire.unit_rules import parse_rule, written_rule

if TYPE_CHECKING:
    from switchgear.wire.base import Observation, RequestFacts

JSON = [("Content-Type", "application/json")]


def _dialect(units: dict[str, object], most: dict[str, object] | None = None, pattern: str = "* *") -> CountedDialect:
    rules = {unit: parse_rule(rule) for unit, rule in units.items()}
    bounds = {unit: parse_rule(rule) for unit, rule in (most or {}).items()}
    return CountedDialect([Route(pattern=pattern, units=rules, most=bounds)])


def _facts(dialect: CountedDialect, body: object = None, *, method: str = "POST", path: str = "/x?y=1") -> RequestFacts:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return dialect.facts(method=method, path=path, content_type="application/json", body=raw)


def _seen(
    dialect: CountedDialect,
    answer: bytes,
    *,
    asked: object = None,
    status: int = 200,
    headers: object = None,
    size: int = 5,
) -> Observation:
    head = JSON if headers is None else headers
    assert isinstance(head, list)
    reader = dialect.reader(_facts(dialect, asked), status=status, headers=head)
    passed = b"".join(reader.feed(answer[at : at + size]) for at in range(0, len(answer), size))
    reader.end()
    seen = reader.observe()
    assert passed + reader.flush() == answer
    return seen


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        (3, 3),
        ("json:/data/pages", 7),
        ("json:/data/rows#count", 2),
        ("json:/data#count", 6),
        ("json:/data/rows/1/n", 5),
        ("json:/data/a~1b~0c", 9),
        ("json:/data/text", 4),
        ("json:/data/part", 2),
        ("header:X-Credits", 12),
        ("bytes", 122),
        ("kilobytes", 1),
        (["json:/nothing", "header:none", "json:/data/pages", 1], 7),
        (["json:/nothing", 1], 1),
        ("request:/limit", 40),
        ("request:/urls#count", 3),
        (["request:/other", "request:/limit"], 40),
    ],
)
def test_each_rule_counts_what_it_says(rule: object, wanted: int) -> None:
    """From the answer's JSON, its headers, its size, and from the request."""
    data = {"pages": 7, "rows": [1, {"n": 5}], "a/b~c": 9, "text": "3.5", "part": 1.2, "deep": {"x": [[]]}}
    answer = json.dumps({"ok": True, "data": data, "d": ""}).encode()
    head = [*JSON, ("x-credits", "12")]
    seen = _seen(_dialect({"pages": rule}), answer, asked={"limit": 40, "urls": ["a", "b", "c"]}, headers=head)

    assert seen.usage == Usage(units=(("pages", len(answer) if rule == "bytes" else wanted),))
    assert not seen.estimated


@pytest.mark.parametrize(
    "answer", [b"", b"no json", b"{}", b'{"n": "many"}', b'{"n": true}', b'{"n": -1}', b'{"n": null}', b"[" * 9000]
)
def test_what_is_not_found_is_unknown(answer: bytes) -> None:
    """The call is settled at its bound then, marked as an estimate; it is never 0."""
    seen = _seen(_dialect({"pages": "json:/n"}), answer, size=4000)

    assert (seen.usage, seen.estimated) == (None, True)


def test_nothing_used_is_nothing() -> None:
    """A count of 0 is known."""
    seen = _seen(_dialect({"pages": "json:/n"}), b'{"n": 0}')

    assert (seen.usage, seen.estimated) == (NO_USAGE, False)


@pytest.mark.parametrize("status", [301, 404, 500])
def test_what_did_not_succeed_counts_nothing(status: int) -> None:
    """A fixed number is for every call that succeeds."""
    assert _seen(_dialect({"pages": 3}), b"{}", status=status).usage == NOT_BILLED


def test_the_most_is_known_before_the_call() -> None:
    """From a number, or from the request, whichever it says."""
    dialect = _dialect({"pages": "json:/n", "calls": 2}, {"pages": ["request:/limit", 100]})

    assert _facts(dialect, {"limit": 7}).bound == Usage(units=(("calls", 2), ("pages", 7)))
    assert _facts(dialect, {"limit": "all"}).bound == Usage(units=(("calls", 2), ("pages", 100)))
    assert _facts(dialect, b"\xff{").bound == Usage(units=(("calls", 2), ("pages", 100)))


def test_a_compressed_answer_is_read_and_passes_as_it_is() -> None:
    """The size that counts is that on the wire."""
    answer = gzip.compress(json.dumps({"n": 3, "pad": "x" * 500}).encode())
    head = [*JSON, ("content-encoding", "gzip")]
    seen = _seen(_dialect({"pages": "json:/n", "size": "bytes"}), answer, headers=head)

    assert seen.usage == Usage(units=(("pages", 3), ("size", len(answer))))


def test_a_stream_is_passed_at_once() -> None:
    """Its fields are not read; its size and what is fixed are."""
    dialect = _dialect({"pages": ["json:/n", 2], "size": "bytes"})
    reader = dialect.reader(_facts(dialect), status=200, headers=[("content-type", "text/event-stream")])

    assert reader.feed(b'data: {"n": 9}\n\n') == b'data: {"n": 9}\n\n'
    assert reader.observe().usage == Usage(units=(("pages", 2), ("size", 16)))


@pytest.mark.parametrize(
    ("pattern", "method", "path", "fits"),
    [
        ("POST /v2/crawl", "POST", "/v2/crawl", True),
        ("POST /v2/crawl", "POST", "/v2/crawl/1", False),
        ("POST /v2/crawl", "GET", "/v2/crawl", False),
        ("GET /v2/crawl/*", "get", "/v2/crawl/1/errors", True),
        ("* /a.c", "PUT", "/abc", False),
        ("GET *", "GET", "/", True),
        ("* *", "PATCH", "/x", True),
    ],
)
def test_a_route_is_a_method_and_a_path(pattern: str, method: str, path: str, *, fits: bool) -> None:
    """With ``*`` for anything, and nothing else that is special."""
    assert Route(pattern=pattern, units={}, most={}).fits(method, path) is fits


@pytest.mark.parametrize(
    "rule",
    [
        True,
        -1,
        1.5,
        None,
        {},
        [],
        "",
        "pages",
        "json:data",
        "json:/a~2",
        "header:",
        "header:a b",
        "bytes:2",
        ["json:/a", "x"],
    ],
)
def test_a_rule_of_another_shape_is_refused(rule: object) -> None:
    """With a text that says which shapes there are."""
    with pytest.raises(ValueError, match=r"whole number|JSON pointer|name of a header|number of units"):
        parse_rule(rule)


@given(body=st.binary(max_size=60), size=st.integers(1, 9))
def test_no_body_breaks_the_passage(body: bytes, size: int) -> None:
    """Any bytes go in and come out, as request and as answer."""
    dialect = _dialect({"pages": "json:/a/0", "n": "request:/b#count"}, {"n": ["request:/b#count", 1]})

    _seen(dialect, body, asked=body, size=size)


@pytest.mark.parametrize("rule", [3, "json:/a", ["request:/b#count", "bytes", 1]])
def test_a_rule_is_written_as_it_was_read(rule: object) -> None:
    """So that a dump of the configuration can be loaded."""
    assert written_rule(parse_rule(rule)) == rule
