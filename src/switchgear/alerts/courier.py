"""One channel's messages: sent in turn, again after a pause when that fails, and given up in the end."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.alerts.channels import DeliveryError
from switchgear.clock import MICROS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from switchgear.alerts.alert import Alert
    from switchgear.alerts.channels import Carrier
    from switchgear.alerts.message import Writing

__all__ = ["ATTEMPTS", "AT_ONCE", "Courier", "CourierView", "DeadLetter"]

AT_ONCE: Final = 100
"""Alerts that one message has at most."""

ATTEMPTS: Final = 8
"""How often a message is tried: over about twenty minutes."""

_FIRST_PAUSE: Final = 5 * MICROS
_LONGEST_PAUSE: Final = 600 * MICROS
_DEAD_KEPT: Final = 50

_log = logging.getLogger("switchgear.alerts")


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was given up on. *at*: epoch microseconds; *alerts*: how many it was about, and the first."""

    channel: str
    at: int
    alerts: int
    first: str
    error: str


class CourierView(msgspec.Struct, frozen=True, kw_only=True):
    """How a channel does. Instants are epoch microseconds; *failures*: tries in a row that failed."""

    sent: int
    given_up: int
    failures: int
    last_sent_at: int | None
    last_error: str | None
    next_try_at: int | None


class Courier:
    """Sends what is due on one channel. It keeps no queue: what is due is asked for when it can be sent.

    So the memory that it takes does not grow while a receiver is dead, and what is sent then is how things
    are by then. One thread runs it.

    Args:
        channel: the name.
        carrier: the way out.
        writing: what is said.
        due: returns the alerts to be told of, the gravest first.
        tell: notes that these were told of, or (failed) given up on.
    """

    def __init__(
        self,
        channel: str,
        carrier: Carrier,
        writing: Writing,
        *,
        due: Callable[[int], Sequence[Alert]],
        tell: Callable[[Sequence[Alert], int, bool], None],
    ) -> None:
        self.channel: Final = channel
        self.dead: Final[deque[DeadLetter]] = deque(maxlen=_DEAD_KEPT)
        self._carrier: Final = carrier
        self._writing: Final = writing
        self._due: Final = due
        self._tell: Final = tell
        self._sent = 0
        self._given_up = 0
        self._failures = 0
        self._gave_up = False
        self._last_sent_at: int | None = None
        self._last_error: str | None = None
        self._next_try_at: int | None = None

    @property
    def view(self) -> CourierView:
        """How the channel does."""
        return CourierView(
            sent=self._sent,
            given_up=self._given_up,
            failures=self._failures,
            last_sent_at=self._last_sent_at,
            last_error=self._last_error,
            next_try_at=self._next_try_at,
        )

    def run(self, now: int) -> bool:
        """Send one message, if one is due and no pause is on; return whether there may be another at once."""
        if self._next_try_at is not None and now < self._next_try_at:
            return False
        alerts = self._due(now)
        if not alerts:
            return False
        try:
            self._carrier.send(alerts, self._writing, now=now)
        except DeliveryError as error:
            return self._failed(alerts, error, now)
        except Exception as error:  # noqa: BLE001 - the edge of the thread: a channel's own library may raise anything
            return self._failed(alerts, DeliveryError(f"it failed ({type(error).__name__})"), now)
        self._sent += 1
        self._failures, self._gave_up, self._next_try_at, self._last_error = 0, False, None, None
        self._last_sent_at = now
        self._tell(alerts, now, False)  # noqa: FBT003 - not failed
        return True

    def test(self, alerts: Sequence[Alert], now: int) -> None:
        """Send *alerts* at once, whatever is due.

        Raises:
            DeliveryError: it did not arrive.
        """
        self._carrier.send(alerts, self._writing, now=now)

    def close(self) -> None:
        """Let go of connections."""
        self._carrier.close()

    def _failed(self, alerts: Sequence[Alert], error: DeliveryError, now: int) -> bool:
        self._failures += 1
        self._last_error = str(error)
        if self._failures < ATTEMPTS and not error.final and not self._gave_up:
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (self._failures - 1))
            self._next_try_at = now + pause
            if self._failures == 1:
                _log.warning("alerts: %s does not take messages: %s", self.channel, error)
            return False
        _log.error("alerts: gave up on a message to %s about %d alerts: %s", self.channel, len(alerts), error)
        self._given_up += 1
        self.dead.append(
            DeadLetter(channel=self.channel, at=now, alerts=len(alerts), first=alerts[0].key, error=str(error))
        )
        # The next message is tried once: a receiver that is dead for long costs no more than that.
        self._gave_up = True
        self._next_try_at = now + _LONGEST_PAUSE
        self._tell(alerts, now, True)  # noqa: FBT003 - failed
        return False
