from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import pytest

from switchgear.calls import Attribution, Call, Refusal, Usage
from switchgear.ledger import Ledger
from switchgear.ledger.rows import AttemptRefused, AttemptReserved, AttemptSettled
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TypedDict

    from switchgear.calls import CallStatus, Reason

    class CallFields(TypedDict, total=False):
        service: str
        model: str | None
        job: str | None
        run: str | None
        layer: str | None
        key: str | None
        tags: tuple[tuple[str, str], ...]
        attempt: int
        trace_id: str | None
        bound: Usage


NOON = 1_764_072_000_000_000


class Rows:
    """Makes rows as the governor would, with everything unimportant filled in."""

    noon = NOON

    def call(self, call_id: str = "call-1", **fields: Unpack[CallFields]) -> Call:
        return Call(
            id=call_id,
            service=fields.get("service", "openai"),
            endpoint="/v1/chat/completions",
            model=fields.get("model", "gpt-5"),
            attribution=Attribution(
                job=fields.get("job"),
                run=fields.get("run"),
                layer=fields.get("layer"),
                key=fields.get("key"),
                tags=fields.get("tags", ()),
            ),
            bound=fields.get("bound", Usage(input_tokens=100, output_tokens=50)),
            attempt=fields.get("attempt", 1),
            trace_id=fields.get("trace_id"),
        )

    def reserved(
        self, call_id: str = "call-1", *, cost: int | None = 1_000, at: int = NOON, **fields: Unpack[CallFields]
    ) -> AttemptReserved:
        return AttemptReserved(
            call=self.call(call_id, **fields), cost=cost, price_version="2026-11", started_at=at, waited_us=7
        )

    def settled(
        self,
        call_id: str = "call-1",
        *,
        attempt: int = 1,
        status: CallStatus = "ok",
        cost: int | None = 300,
        usage: Usage | None = None,
        model: str | None = None,
        error: str | None = None,
        duration_us: int = 2_000,
    ) -> AttemptSettled:
        return AttemptSettled(
            call_id=call_id,
            attempt=attempt,
            status=status,
            usage=usage or Usage(input_tokens=90, output_tokens=20, cache_read_tokens=10),
            cost=cost,
            price_version="2026-11",
            estimated=False,
            http_status=200,
            error=error,
            model=model,
            ttft_us=None,
            duration_us=duration_us,
        )

    def refused(
        self,
        call_id: str = "call-1",
        *,
        reason: Reason = "budget",
        cost: int | None = 1_000,
        at: int = NOON,
        **fields: Unpack[CallFields],
    ) -> AttemptRefused:
        call = self.call(call_id, **fields)
        refusal = Refusal(reason=reason, rule="small", service=call.service, message="no", unit="usd", limit=5)
        return AttemptRefused(call=call, refusal=refusal, cost=cost, at=at, waited_us=3)


@pytest.fixture(scope="session")
def rows() -> Rows:
    """Makes rows as the governor would."""
    return Rows()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at noon of a day in November 2025."""
    return ManualClock(NOON / 1_000_000)


@pytest.fixture(params=["sqlite", "postgres"])
def engine_kind(request: pytest.FixtureRequest) -> str:
    """What keeps the ledger; every promise that is tested with it holds for each."""
    kind: str = request.param
    return kind


@pytest.fixture
def ledger(engine_kind: str, clock: ManualClock, request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """An empty ledger: in memory, and on a real PostgreSQL."""
    url = "sqlite://" if engine_kind == "sqlite" else request.getfixturevalue("make_postgres")()
    with Ledger.open(url, clock=clock) as opened:
        yield opened


@pytest.fixture
def durable_url(engine_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The URL of a ledger that does not exist yet, and outlives whoever writes to it."""
    if engine_kind == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    url: str = request.getfixturevalue("make_postgres")()
    return url
