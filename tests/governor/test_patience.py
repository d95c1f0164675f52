from __future__ import annotations

from switchgear.config import ServiceConfig
from switchgear.errors import StallError
from switchgear.governor.patience import Patience

SECOND = 1_000_000


def _patience(first: str | None, stall: str | None) -> Patience:
    said = {"first_token_timeout": first, "stall_timeout": stall}
    return Patience(ServiceConfig.model_validate({"base_url": "https://x.example", **said}), 10 * SECOND)


def test_before_the_first_token_its_own_time_out_holds() -> None:
    """From the moment that the call was let go; comments and preambles are no token."""
    patience = _patience("5s", "2s")
    assert patience.due == 15 * SECOND
    patience.heard(3, 14 * SECOND, started=False)

    assert patience.due == 15 * SECOND
    assert patience.complaint == "no first token within 5s"


def test_after_it_each_event_starts_the_other_one_anew() -> None:
    """What keeps a connection alive is not heard, so it changes nothing."""
    patience = _patience("5s", "2s")
    patience.heard(1, 14 * SECOND, started=True)
    assert patience.due == 16 * SECOND
    patience.heard(2, 15 * SECOND, started=True)
    patience.heard(2, 16 * SECOND, started=True)

    assert patience.due == 17 * SECOND
    assert patience.complaint == "nothing came for 2s"
    assert patience.told(StallError("x", 2)) == "StallError: nothing came for 2s"


def test_each_can_be_left_out() -> None:
    """A model may think for as long as it likes, or pause."""
    slow = _patience(None, "2s")
    before = slow.due
    slow.heard(1, 99 * SECOND, started=True)
    assert (before, slow.due) == (None, 101 * SECOND)

    pausing = _patience("5s", None)
    pausing.heard(1, 11 * SECOND, started=True)
    assert pausing.due is None
