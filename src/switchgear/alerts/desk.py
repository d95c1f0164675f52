"""Alerts at work: values are read in turns, changes are recorded, and then the channels are told.

Nothing here is in the way of a call: ``tick`` only wakes threads.
"""

from __future__ import annotations

import logging
import secrets
import threading
from typing import TYPE_CHECKING, Final, Protocol

from switchgear.alerts.alert import Ack, Alert
from switchgear.alerts.board import Board, Listener
from switchgear.alerts.channels import carrier_of
from switchgear.alerts.courier import AT_ONCE, Courier
from switchgear.alerts.gather import Gatherer
from switchgear.alerts.message import Writing
from switchgear.alerts.readings import asked_by
from switchgear.alerts.records import alert_entry, recorded_alerts, recorded_silences, silence_entry
from switchgear.alerts.rules import rules_of
from switchgear.alerts.silences import BadSilence, Silence
from switchgear.errors import LedgerError
from switchgear.events import BreakerChanged, BudgetCrossed
from switchgear.telemetry.logs.line import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from switchgear.alerts.channels import Carrier
    from switchgear.alerts.courier import DeadLetter
    from switchgear.alerts.rules import Rule
    from switchgear.clock import Clock
    from switchgear.config.model import Config
    from switchgear.events import Event
    from switchgear.insight.snapshot import MetricsCollector
    from switchgear.insight.sources import CostLedger
    from switchgear.ledger.commit import Commit
    from switchgear.ledger.rows import Entry

__all__ = ["AlertDesk", "Lead"]

_COMMIT: Final = 5.0
"""Seconds that a change gets to be recorded before somebody is told of it all the same."""

_log = logging.getLogger("switchgear.alerts")


class Lead(Protocol):
    """Tells whether this process is the one of several that looks and tells."""

    def holds(self) -> bool:
        """Tell whether it is now."""

    def close(self) -> None:
        """Leave it to another."""


class AlertDesk:
    """Evaluates the rules of *config*, and tells its channels. Safe to use from several threads.

    Args:
        config: rules and channels.
        collector: the live numbers.
        reader: the ledger's sums, and its audit trail.
        record: writes to the audit trail.
        clock: time.
        environ: where channels have their secrets.
        link: the address of the dashboard, where the configuration says none.
        lead: asked before each look and each message; who does not lead only shows what is recorded.
            None: there are no other processes.

    Raises:
        ConfigError: a channel can't be made: a variable is not set, a package is missing.
        LedgerError: what was recorded can't be read.
    """

    def __init__(
        self,
        config: Config,
        *,
        collector: MetricsCollector,
        reader: CostLedger,
        record: Callable[[Entry], Commit],
        clock: Clock,
        environ: Mapping[str, str],
        link: str,
        lead: Lead | None = None,
    ) -> None:
        alerts = config.alerts
        self.config = alerts
        self._clock: Final = clock
        self._record: Final = record
        self._lead: Final = lead
        self._leads = lead is None
        self._trail: Final = reader.trail
        self._lock: Final = threading.Lock()
        self._board: Final = Board(
            rules_of(alerts),
            repeat_us=alerts.repeat,
            alerts=recorded_alerts(reader.trail),
            silences=recorded_silences(reader.trail),
        )
        self._gatherer: Final = Gatherer(collector, reader, config)
        self._asked = {asked_by(rule) for rule in self._board.rules.values()}
        self.writing: Final = Writing(self._board.rules, (alerts.link or link).rstrip("/"))
        self._couriers: Final = {
            channel.name: self._courier(Listener(channel.name, channel.severity, channel.resolved), carrier)
            for channel, carrier in [
                (channel, carrier_of(channel, environ=environ, repeat_us=alerts.repeat)) for channel in alerts.channels
            ]
        }
        self._next_at: int | None = None
        self._hurry = threading.Event()
        self._closing = False
        self._wake: Final = threading.Event()
        self._calls: Final = {name: threading.Event() for name in self._couriers}
        self._threads: list[threading.Thread] = []

    # -- what the server calls

    def look_at_runs(self, read: Callable[[int], Mapping[str, Mapping[str, float]]]) -> None:
        """Look at runs, too: *read* returns each of their metrics at an instant, by pipeline."""
        self._gatherer.runs = read

    def start(self) -> None:
        """Start the threads that look and tell."""
        self._threads = [threading.Thread(target=self._look, name="switchgear-alerts", daemon=True)]
        self._threads += [
            threading.Thread(target=self._carry, args=(name,), name=f"switchgear-alerts-{name}", daemon=True)
            for name in self._couriers
        ]
        for thread in self._threads:
            thread.start()

    def tick(self) -> None:
        """Wake who has to look or to tell; call it once a second or so. It waits for nothing."""
        self._wake.set()

    def listen(self, event: Event) -> None:
        """Look at once after *event*, if it is one that an alert may come from: for the bus."""
        if isinstance(event, BreakerChanged | BudgetCrossed):
            self._hurry.set()

    def adopt(self, config: Config) -> None:
        """Go by the services and rules of *config* from the next look on; channels stay as they were."""
        rules = rules_of(config.alerts)
        with self._lock:
            self._board.adopt(rules)
            self._asked = {asked_by(rule) for rule in rules}
            self._gatherer.config = config
            self.config = config.alerts

    def close(self) -> None:
        """Stop looking and telling; what is not told yet is told after the next start."""
        self._closing = True
        self._wake.set()
        for call in self._calls.values():
            call.set()
        for thread in self._threads:
            thread.join(timeout=1.0)
        for courier in self._couriers.values():
            courier.close()
        if self._lead is not None:
            self._lead.close()

    def look(self) -> None:
        """Read values and take them in, whatever the time; then what has changed is on record.

        A process that does not lead only takes in what the one that does has recorded.
        """
        if not self._keep_up():
            return
        now = self._now()
        readings = self._gatherer.read(self._asked, now=now)
        with self._lock:
            changed = self._board.evaluate(readings, now=now)
        self._put(alert_entry(one, at=now, reason=f"{one.news}: {self.writing.item(one)['text']}") for one in changed)
        for one in changed:
            level = logging.WARNING if one.state == "firing" and one.severity != "info" else logging.INFO
            told = {"state": one.state, "severity": one.severity, "reading": one.value, "muted_by": one.muted_by}
            say(_log, level, "alert_changed", (one.key, one.state), alert=one.key, **told)

    def deliver(self, channel: str) -> None:
        """Send what is due on *channel*, message by message, until nothing is or one fails."""
        courier = self._couriers[channel]
        while not self._closing and self._may_tell() and courier.run(self._now()):
            pass

    # -- what people ask and do

    @property
    def board(self) -> tuple[tuple[Alert, ...], tuple[Silence, ...]]:
        """Every alert and every silence."""
        with self._lock:
            return self._board.alerts, self._board.silences

    @property
    def leads(self) -> bool:
        """Whether this process looks and tells; of several processes on one ledger, one does."""
        return self._leads

    @property
    def firing(self) -> int:
        """How many alerts fire."""
        return sum(alert.state == "firing" for alert in self.board[0])

    @property
    def rules(self) -> Mapping[str, Rule]:
        """The rules in force, by name."""
        return self._board.rules

    @property
    def dropped(self) -> int:
        """Alerts that there was no room for."""
        return self._board.dropped

    @property
    def couriers(self) -> Mapping[str, Courier]:
        """The channels, by name."""
        return self._couriers

    @property
    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Messages that were given up on, newest first."""
        found = [letter for courier in self._couriers.values() for letter in tuple(courier.dead)]
        return tuple(sorted(found, key=lambda letter: -letter.at))

    def now(self) -> int:
        """Return the epoch microsecond."""
        return self._now()

    def silence(self, matchers: Mapping[str, str], *, for_us: int, by: str, reason: str) -> Silence:
        """Tell nobody of alerts with all of *matchers* for *for_us* microseconds.

        Raises:
            BadSilence: there is no matcher, reason or time.
            LedgerError: it can't be recorded, so it is not in force.
        """
        if not matchers or not reason.strip() or for_us <= 0:
            msg = "a silence needs a matcher, a time above 0 and a reason"
            raise BadSilence(msg)
        now = self._now()
        silence = Silence(
            id=secrets.token_hex(4), matchers=dict(matchers), at=now, until=now + for_us, by=by, reason=reason.strip()
        )
        self._record(silence_entry(silence, at=now)).wait(_COMMIT)
        with self._lock:
            self._board.silence(silence, now=now)
        return silence

    def unsilence(self, number: str, *, by: str) -> Silence | None:
        """Take the silence of that id back; None: there is none. Raises LedgerError as *silence*."""
        now = self._now()
        with self._lock:
            found = next((one for one in self._board.silences if one.id == number), None)
        if found is not None:
            self._record(silence_entry(found, at=now, ended_by=by)).wait(_COMMIT)
            with self._lock:
                self._board.unsilence(number, now=now)
        return found

    def acknowledge(self, key: str, *, by: str, note: str) -> Alert | None:
        """Note that somebody knows of the alert *key*, so that it is not repeated; None: it is not up."""
        now = self._now()
        with self._lock:
            found = self._board.acknowledge(key, Ack(by=by, note=note, at=now))
        if found is not None and found.state == "firing":
            self._put([alert_entry(found, at=now, reason=note or "somebody knows of it", actor=by)])
        return found

    def test(self, channel: str) -> None:
        """Send a message that says it is a test on *channel*; raise DeliveryError, or KeyError for no channel."""
        now = self._now()
        alert = Alert(
            rule="test",
            labels={},
            state="firing",
            severity="info",
            since=now,
            fired_at=now,
            value=1.0,
            worst=1.0,
            threshold=1.0,
        )
        self._couriers[channel].test([alert], now)

    # -- the threads

    def _look(self) -> None:
        while self._wake.wait() and not self._closing:
            self._wake.clear()
            now = self._clock.moment().mono
            if self._next_at is None or now >= self._next_at or self._hurry.is_set():
                self._next_at = now + self.config.interval
                self._hurry.clear()
                try:
                    self.look()
                except Exception:  # noqa: BLE001 - the edge of the thread: the next look may go better
                    _log.exception("alerts: looking failed")
            for call in self._calls.values():
                call.set()

    def _carry(self, channel: str) -> None:
        call = self._calls[channel]
        while call.wait() and not self._closing:
            call.clear()
            try:
                self.deliver(channel)
            except Exception:  # noqa: BLE001 - as above
                _log.exception("alerts: telling %s failed", channel)

    def _may_tell(self) -> bool:
        return self._leads and (self._lead is None or self._lead.holds())

    def _keep_up(self) -> bool:
        """Hear of what other processes have recorded; return whether this one leads."""
        if self._lead is None:
            return True
        led, leads = self._leads, self._lead.holds()
        alerts, silences = recorded_alerts(self._trail), recorded_silences(self._trail)
        with self._lock:
            if led and leads:
                self._board.hear(alerts, silences, now=self._now())
            else:
                self._board.restore(alerts, silences)
            self._leads = leads
        return leads

    def _courier(self, listener: Listener, carrier: Carrier) -> Courier:
        def due(now: int) -> Sequence[Alert]:
            with self._lock:
                return self._board.due(listener, now=now, limit=AT_ONCE)

        def tell(alerts: Sequence[Alert], now: int, failed: bool) -> None:  # noqa: FBT001 - the courier's own
            with self._lock:
                changed = self._board.tell(listener.name, alerts, at=now, failed=failed)
            reason = f"{listener.name} could not be told" if failed else f"{listener.name} was told"
            self._put(alert_entry(one, at=now, reason=f"{reason}: {one.news}") for one in changed)

        return Courier(listener.name, carrier, self.writing, due=due, tell=tell)

    def _put(self, entries: Iterable[Entry]) -> None:
        """Record *entries*, and wait until they are; without a ledger alerts go on, and a restart may repeat them."""
        try:
            commit = None
            for entry in entries:
                commit = self._record(entry)
            if commit is not None:
                commit.wait(_COMMIT)
        except (LedgerError, TimeoutError) as error:
            _log.warning("alerts: a change is not on record: %s", error)

    def _now(self) -> int:
        return self._clock.moment().wall
