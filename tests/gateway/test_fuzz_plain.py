"""Whatever an ASGI server passes on, in whatever pieces: an answer, or its client has gone; and nothing is left."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterator, MutableMapping
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.gateway.test_fuzz import CONFIG, StrictUpstream

from switchgear.clock import SystemClock
from switchgear.config import load_text
from switchgear.gateway.asgi import ASGIApp
from switchgear.gateway.hosts import Hosts
from switchgear.ledger.views import CallFilter
from switchgear.server.composing import compose
from switchgear.server.parts import Parts

PATIENCE: Final = 5.0
Messages = list[dict[str, Any]]


class Place:
    """The app, its loop, and the only place that requests may go to."""

    def __init__(self, parts: Parts, app: ASGIApp, runner: asyncio.Runner, upstream: StrictUpstream) -> None:
        self.parts = parts
        self.app = app
        self.runner = runner
        self.upstream = upstream

    def ask(self, scope: dict[str, Any], pieces: list[bytes], leaves_after: int | None) -> Messages:
        """Return what the app sends; the client leaves after so many messages of its own, None: it stays."""
        return self.runner.run(self._ask(scope, pieces, leaves_after))

    async def _ask(self, scope: dict[str, Any], pieces: list[bytes], leaves_after: int | None) -> Messages:
        sent: Messages = []
        asked = 0

        async def receive() -> dict[str, Any]:
            nonlocal asked
            asked += 1
            if leaves_after is not None and asked > leaves_after:
                return {"type": "http.disconnect"}
            if asked <= len(pieces):
                return {"type": "http.request", "body": pieces[asked - 1], "more_body": asked < len(pieces)}
            await asyncio.get_running_loop().create_future()  # until the app has done with it
            raise AssertionError

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(dict(message))

        async with asyncio.timeout(PATIENCE):
            await self.app(scope, receive, send)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert left == set()
        return sent


async def _awaited(work: Awaitable[None]) -> None:
    await work


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The plain ASGI app with its pages, in front of a strict upstream."""
    upstream = StrictUpstream()
    ledger = f'[ledger]\nurl = "sqlite:///{tmp_path_factory.mktemp("ledger")}/ledger.db"\n'
    config = load_text(ledger + CONFIG.format(url=upstream.url), environ={})
    parts = compose(
        config, clock=SystemClock(), origin=None, only=None, data_path="plain", ending=lambda: False, hosts=Hosts()
    )

    async def nothing() -> None:
        """No server begins or ends."""

    with asyncio.Runner() as runner:
        yield Place(parts, parts.front(nothing, nothing), runner, upstream)
        runner.run(_awaited(parts.aclose()))
    parts.close()
    upstream.close()


SEGMENTS = st.sampled_from(
    ["up", "x", "..", ".", "%2e%2e", "%2f", "", "é", "\\", "api", "calls", "a" * 300, "//", "%00", "#", " ", "\r\n"]
)
NAMES = st.sampled_from(
    [b"content-length", b"transfer-encoding", b"content-type", b"authorization", b"x-api-key", b"cookie", b"accept",
     b"x-switchgear-job", b"x-switchgear-tags", b"baggage", b"traceparent", b"connection", b"upgrade", b"te", b"expect"]
)  # fmt: skip
VALUES = st.binary(max_size=20).filter(lambda value: not set(value) & {*range(32), 127}).map(
    bytes.strip
) | st.sampled_from(
    [b"application/json", b"multipart/form-data", b"chunked", b"0", b"-1", b"99999999999", b"Bearer sgk_x", b"\xff\xfe"]
)


@st.composite
def scopes(draw: st.DrawFn) -> dict[str, Any]:
    """What an HTTP server could make of a request."""
    first = draw(st.sampled_from(["up", "up", "up", "api", "nothing", ""]))
    path = "/" + "/".join([first, *draw(st.lists(SEGMENTS, max_size=4))])
    headers = [(b"host", draw(st.sampled_from([b"127.0.0.1", b"localhost:8400", b"evil.example", b"\xff"])))]
    headers += draw(st.lists(st.tuples(NAMES, VALUES), max_size=5))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": draw(st.sampled_from(["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])),
        "scheme": "http",
        "path": path.replace("%2e", ".").replace("%2f", "/").replace("%00", "\0"),
        "raw_path": path.encode(),
        "query_string": draw(st.binary(max_size=10) | st.just(b"a=%20&b")),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8400),
    }


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scope=scopes(),
    pieces=st.lists(st.binary(max_size=50) | st.just(b'{"model":"m","stream":true}'), min_size=1, max_size=4),
    leaves_after=st.none() | st.none() | st.integers(0, 5),
)
def test_any_request_ends_well(
    place: Place, scope: dict[str, Any], pieces: list[bytes], leaves_after: int | None
) -> None:
    """One answer that is no failure of ours, unless the client has gone; only below the base URL, no task left."""
    sent = place.ask(scope, pieces, leaves_after)

    starts = [message for message in sent if message["type"] == "http.response.start"]
    if leaves_after is None:
        assert len(starts) == 1
        assert not sent[-1].get("more_body", False)
    for start in starts:
        assert start["status"] < 500, (scope, pieces)
    assert place.upstream.malformed == []
    assert [target for target in place.upstream.targets if not re.match(rb"/base(?:[/?]|$)", target)] == []


def test_nothing_stays_reserved(place: Place) -> None:
    """After all that every row is settled, and some calls went through."""
    governor = place.parts.governor
    assert governor is not None
    rows = governor.ledger.reader.calls(CallFilter(), limit=500).items
    assert "ok" in {row.status for row in rows}
    assert "reserved" not in {row.status for row in rows}
