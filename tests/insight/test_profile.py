from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from tests.insight.test_trace import row, rows

from switchgear.insight.profile import profile_of, read_profile
from switchgear.ledger.views import CallFilter, CallPage, CallRow
from switchgear.money import to_usd


@given(rows)
def test_shares_add_up_to_the_whole(some: list[CallRow]) -> None:
    """Money to the nano, time, calls; waiting, retrying and the rest are parts of one whole."""
    over = {each.call_id for each in some} - {each.call_id for each in some if each.status == "reserved"}
    profile = profile_of(some)
    out = [each for each in some if each.call_id in over and each.status != "refused"]

    assert profile.total.calls == len(over) == sum(share.calls for share in profile.items)
    assert profile.total.cost_usd == to_usd(sum(each.cost or 0 for each in out))
    assert profile.total.attempts == len(out) == sum(share.attempts for share in profile.items)
    for share in (profile.total, *profile.items):
        assert share.waiting_percent >= 0
        assert share.retrying_percent >= 0
        assert share.waiting_percent + share.retrying_percent <= 100.1
        assert share.p50_ms <= share.p95_ms <= share.time_ms or share.calls == 0


def test_the_time_of_a_call_is_split_as_it_passed() -> None:
    """Waited 2, failed after 3, paused 1, answered after 4: 20 % waiting, 40 % retrying."""
    some = [row(1, 1, "failed", 0, 2_000_000, 3_000_000, 0), row(1, 2, "ok", 6_000_000, 0, 4_000_000, 7)]
    (share,) = profile_of(some).items

    assert (share.time_ms, share.p50_ms, share.p95_ms) == (10_000, 10_000, 10_000)
    assert (share.waiting_percent, share.retrying_percent) == (20.0, 40.0)
    assert (share.calls, share.attempts, share.failed, share.cost_usd) == (1, 2, 0, Decimal("0.000000007"))


def test_an_unknown_cost_is_counted_and_not_added() -> None:
    """As everywhere: never $0."""
    (share,) = profile_of([row(1, 1, "ok", 0, 0, 5, None), row(2, 1, "ok", 0, 0, 5, 3)]).items

    assert (share.unpriced, share.cost_usd) == (1, Decimal("0.000000003"))


class Endless:
    """A ledger that has another page, for ever."""

    def calls(self, where: CallFilter, *, limit: int = 50, after: str | None = None) -> CallPage:
        start = int(after or 0)
        made = [row(start + number, 1, "ok", 0, 0, 1, 1) for number in range(limit)]
        return CallPage(items=tuple(made), next=str(start + limit))


def test_a_large_ledger_is_not_read_to_its_end() -> None:
    """The newest attempts are, and the profile says so."""
    ledger: Any = Endless()
    profile = read_profile(ledger, CallFilter())

    assert (profile.complete, profile.total.calls) == (False, 5000)
