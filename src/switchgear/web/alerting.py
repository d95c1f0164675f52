"""What people do about alerts, from pages and API: what is wrong with it is a problem with its status."""

from __future__ import annotations

from collections.abc import Mapping

from switchgear.alerts.channels import DeliveryError
from switchgear.alerts.desk import AlertDesk
from switchgear.alerts.silences import BadSilence, known_matchers
from switchgear.alerts.views import SilenceItem, silence_item
from switchgear.durations import parse_duration
from switchgear.errors import LedgerError
from switchgear.web.deps import WebDeps
from switchgear.web.problems import Problem

__all__ = ["acknowledge", "desk_of", "send_test", "silence", "unsilence"]

_LONGEST_TEXT = 200


def desk_of(deps: WebDeps) -> AlertDesk:
    """Return who looks after alerts here.

    Raises:
        Problem: 503; nobody does.
    """
    if deps.alerts is None:
        detail = (
            "Nobody looks after alerts in this process: alerts.enabled is false, or another process has the gateway."
        )
        raise Problem(503, detail)
    return deps.alerts


def silence(deps: WebDeps, matchers: Mapping[str, str], *, duration: str, by: str, reason: str) -> SilenceItem:
    """Have a silence in force; raise Problem: 400 for what is no silence, 503 if it can't be recorded."""
    desk = desk_of(deps)
    try:
        length = parse_duration(duration)
    except ValueError as error:
        raise Problem(400, f"duration: {error}.", key="duration") from None
    try:
        known_matchers(matchers)
        made = desk.silence(matchers, for_us=length, by=by[:_LONGEST_TEXT], reason=reason[:_LONGEST_TEXT])
    except BadSilence as error:
        raise Problem(400, f"{error}.".capitalize()) from None
    except (LedgerError, TimeoutError) as error:
        raise Problem(503, f"The silence can't be recorded, so it is not in force: {error}.") from None
    return silence_item(made, now=desk.now())


def unsilence(deps: WebDeps, number: str, *, by: str) -> SilenceItem:
    """Take a silence back; raise Problem: 404 if there is none of that id."""
    desk = desk_of(deps)
    try:
        found = desk.unsilence(number, by=by)
    except (LedgerError, TimeoutError) as error:
        raise Problem(503, f"That can't be recorded, so the silence is still in force: {error}.") from None
    if found is None:
        raise Problem(404, f"There is no silence {number!r}.")
    return silence_item(found, now=desk.now())


def acknowledge(deps: WebDeps, key: str, *, by: str, note: str) -> None:
    """Note that somebody knows of an alert; raise Problem: 404 if nothing of that key is up."""
    if desk_of(deps).acknowledge(key, by=by[:_LONGEST_TEXT], note=note[:_LONGEST_TEXT]) is None:
        raise Problem(404, f"No alert {key!r} is firing or pending.")


def send_test(deps: WebDeps, channel: str) -> None:
    """Send a test message; raise Problem: 404 for no such channel, 503 if it did not arrive."""
    desk = desk_of(deps)
    if channel not in desk.couriers:
        known = sorted(desk.couriers)
        raise Problem(
            404, f"There is no channel {channel!r}. Known channels: {', '.join(known) or 'none'}.", valid=known
        )
    try:
        desk.test(channel)
    except DeliveryError as error:
        raise Problem(503, f"{channel} could not be told: {error}.") from None
