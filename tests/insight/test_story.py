from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import convert

from switchgear.calls import Reason
from switchgear.insight.story import story_of
from switchgear.ledger.views import CallRow


def _row(**facts: Any) -> CallRow:  # noqa: ANN401 - any column
    optional = dict.fromkeys(CallRow.__struct_fields__)
    fixed: dict[str, Any] = {
        "id": "c-1",
        "call_id": "c",
        "attempt": 1,
        "started_at": 0,
        "service": "openai",
        "endpoint": "/v1",
        "model": "m",
        "tags": {},
        "status": "ok",
        "streamed": False,
        "estimated": False,
        "units": {},
        "reserved": 2_000_000,
        "price_version": "v1",
        "waited_us": 0,
    }
    counts = {name: 0 for name in optional if name.endswith("_tokens")}
    return convert({**optional, **counts, **fixed, **facts}, CallRow)


def _refused(reason: Reason, **refusal: object) -> CallRow:
    return _row(status="refused", refused_by=reason, refusal=refusal)


def test_an_admitted_call_passed_every_rule_and_says_what_is_not_recorded() -> None:
    """Nothing is made up of rules whose numbers nobody kept."""
    story = story_of([_row()])
    assert [(one.kind, one.verdict) for one in story] == [
        ("price", "pass"),
        ("limit", "pass"),
        ("breaker", "pass"),
        ("budget", "pass"),
    ]
    assert not any(one.decides for one in story)
    assert all("not recorded" in one.text for one in story[1:])
    assert all(one.limit is None and one.used is None for one in story)
    assert (story[0].needed, story[3].needed) == (Decimal("0.002"), Decimal("0.002"))


def test_a_budget_that_refused_shows_its_numbers_in_usd() -> None:
    """The deciding rule has the numbers of its decision."""
    row = _refused(
        "skip", rule="job", unit="usd", limit=10**9, used=4, reserved=5, needed=6, message="budget job has no room"
    )
    last = story_of([row])[-1]
    assert (last.rule, last.verdict, last.decides, last.text) == ("job", "refuse", True, "budget job has no room")
    assert (last.limit, last.needed) == (Decimal(1), Decimal("6E-9"))


def test_rules_after_the_one_that_refused_were_not_asked() -> None:
    """A limit that refuses leaves breaker and budgets unasked; the price was looked up before."""
    story = story_of([_refused("rate_limit", rule="requests_per_minute", unit="requests", limit=5, used=5, needed=1)])
    assert [one.verdict for one in story] == ["pass", "refuse", "not_asked", "not_asked"]
    assert (story[1].limit, story[1].used) == (5, 5)


def test_an_unpriced_call_that_was_refused_was_asked_nothing_else() -> None:
    """The price comes first."""
    story = story_of([_refused("unpriced", rule="unpriced")])
    assert [one.verdict for one in story] == ["refuse", "not_asked", "not_asked", "not_asked"]


def test_a_wait_is_told_with_its_length() -> None:
    """How long is recorded; for which limit is not."""
    limits = story_of([_row(waited_us=1_500_000)])[1]
    assert (limits.verdict, limits.text) == ("wait", "waited 1.500 s in the queue; for which limit is not recorded")


def test_a_degraded_call_says_for_what() -> None:
    """The model that was asked for, and the one that went."""
    assert "no room for big, so m went" in story_of([_row(degraded_from="big")])[3].text


def test_the_last_attempt_tells_the_story() -> None:
    """Each attempt is admitted by itself; the last decides what becomes of the call."""
    story = story_of([_row(status="failed"), _refused("breaker", rule="breaker", message="open")])
    assert [one.rule for one in story if one.decides] == ["breaker"]


def test_an_old_row_without_its_refusal_is_told_all_the_same() -> None:
    """What is not there is said to be not there."""
    assert story_of([_row(status="refused", refused_by="budget", refusal=None)])[3].text.endswith("not recorded")
