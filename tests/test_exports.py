from __future__ import annotations

import pickle

import pytest

import switchgear as sg
from switchgear.calls import Reason, Refusal
from switchgear.errors import refused


def test_exported_names_are_sorted_and_there() -> None:
    """Everything in ``__all__`` can be had, and the list is sorted, capitals first."""
    assert sg.__all__ == sorted(sg.__all__)
    assert dir(sg) == sg.__all__
    for name in sg.__all__:
        assert getattr(sg, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """Lazy names don't hide a typing mistake."""
    with pytest.raises(AttributeError, match="has no attribute 'Goveror'"):
        _ = sg.Goveror


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("rate_limit", sg.RateLimited),
        ("breaker", sg.BreakerOpen),
        ("budget", sg.BudgetExceeded),
        ("skip", sg.Skipped),
        ("unpriced", sg.Unpriced),
    ],
)
def test_each_reason_has_its_error_with_its_facts(reason: Reason, kind: type[sg.Refused]) -> None:
    """A refusal becomes the error of its kind, carries its facts, and survives pickling."""
    refusal = Refusal(
        reason=reason, rule="r", service="s", message="m", unit="usd", limit=1_500_000_000, used=1, retry_after=2.0
    )
    error = refused(refusal)
    assert type(error) is kind
    assert (str(error), error.rule, error.service, error.retry_after) == ("m", "r", "s", 2.0)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(again) is kind
    assert again.refusal == refusal
    if isinstance(error, sg.BudgetExceeded):
        assert str(error.limit) == "1.5"
