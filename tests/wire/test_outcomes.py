from __future__ import annotations

import pytest

from switchgear.wire.outcomes import error_label, is_callers_fault, retry_after_of, verdict_of

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, "success"), (204, "success"), (304, "success"),
        (400, "neutral"), (401, "neutral"), (402, "neutral"), (404, "neutral"), (422, "neutral"),
        (408, "failure"), (429, "failure"), (500, "failure"), (503, "failure"), (529, "failure"),
    ],
)  # fmt: skip
def test_only_what_the_service_caused_counts_against_it(status: int, verdict: str) -> None:
    """The caller's own 4xx is neutral; 408, 429 and all 5xx are failures."""
    assert verdict_of(status) == verdict


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("Retry-After", "12")], 12.0),
        ([("retry-after", " 0.5 ")], 0.5),
        ([("retry-after", "30"), ("Retry-After-Ms", "1500")], 1.5),
        ([("retry-after", "Tue, 14 Nov 2023 22:13:50 GMT")], 30.0),
        ([("retry-after", "Tue, 14 Nov 2023 22:13:50 -0000")], 30.0),
        ([("retry-after", "Tue, 14 Nov 2023 22:13:10 GMT")], None),
        ([("retry-after", "-3")], None),
        ([("retry-after", "nan")], None),
        ([("retry-after", "1e999")], None),
        ([("retry-after", "soon")], None),
        ([("retry-after", "")], None),
        ([("retry-after", "Tue, 99 Nov 2023 22:13:50 GMT")], None),
        ([("retry-after", "2"), ("retry-after-ms", "x")], 2.0),
        ([("content-type", "text/plain")], None),
        ([], None),
    ],
)
def test_retry_after_is_read_in_every_form_and_garbage_is_ignored(
    headers: list[tuple[str, str]], expected: float | None
) -> None:
    """Seconds, milliseconds and dates are understood; nothing else ever holds a caller back."""
    assert retry_after_of(headers, NOW) == expected


def test_an_error_label_lets_no_message_through() -> None:
    """A provider's message may hold a part of a key or of the prompt."""
    assert error_label("rate_limit_error", "rate_limit_exceeded") == "rate_limit_error/rate_limit_exceeded"
    assert error_label("Incorrect API key provided: sk-abc", None, 5) == "error"
    assert error_label("same", "same") == "same"


def test_callers_faults_are_told_from_the_services() -> None:
    """An error object for a bad request is the caller's, an overloaded server is not."""
    assert is_callers_fault("invalid_request_error", None)
    assert not is_callers_fault("overloaded_error", None, 529)
