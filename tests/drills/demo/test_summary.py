from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from switchgear.drills.demo.summary import Summary, problems
from switchgear.ledger.views import CallRow

GOOD = Summary(
    calls=4,
    ok=1,
    failed=1,
    refused=2,
    by_reason={"breaker": 1, "budget": 1},
    tokens=10,
    cost_usd=Decimal("0.1"),
    ledger_rows=2,
    upstream_served=2,
    breaker_opened=True,
    breaker_recovered=True,
    text="hello",
    model="m",
    real_model=True,
    dashboard="http://127.0.0.1:1/",
    memory_mb=None,
    services=(),
)


def row(status: str, refused_by: str | None = None) -> CallRow:
    """Return a row of the ledger that ended so."""
    plain = {"id": "a-1", "call_id": "a", "attempt": 1, "started_at": 0, "service": "s", "endpoint": "e"}
    fields: dict[str, Any] = dict.fromkeys(CallRow.__struct_fields__)
    counts = {name: 0 for name in fields if name.endswith("_tokens")}
    rest = {"tags": {}, "units": {}, "streamed": False, "estimated": False, "waited_us": 0}
    return msgspec.convert({**fields, **counts, **rest, **plain, "status": status, "refused_by": refused_by}, CallRow)


ROWS = (row("ok"), row("failed"), row("refused", "breaker"), row("refused", "budget"))


def test_figures_that_add_up_are_no_problem() -> None:
    """Clients, ledger and upstreams agree, and everything promised was seen."""
    assert list(problems(GOOD, ROWS)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"upstream_served": 3}, "the upstreams served 3 calls and the ledger has 2"),
        ({"ok": 2}, "the clients saw 2 calls ok and the ledger has 1"),
        ({"by_reason": {"budget": 2}}, "the clients were refused by"),
        ({"by_reason": {"breaker": 2}}, "no call was refused by a budget"),
        ({"breaker_opened": False, "breaker_recovered": False}, "no breaker opened"),
        ({"breaker_recovered": False}, "the breaker that opened did not close again"),
        ({"text": ""}, "the model said nothing"),
    ],
)
def test_each_broken_promise_is_a_sentence(change: dict[str, Any], said: str) -> None:
    """Whatever does not add up is told."""
    found = list(problems(msgspec.structs.replace(GOOD, **change), ROWS))

    assert any(text.startswith(said) for text in found)


def test_a_call_that_no_client_knows_of_is_told() -> None:
    """A row that is still reserved, or an orphan, was seen by no client."""
    found = list(problems(GOOD, (*ROWS, row("orphaned"))))

    assert found == ["the clients saw 0 calls orphaned and the ledger has 1"]
