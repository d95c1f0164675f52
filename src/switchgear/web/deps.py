"""What the web app is given."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import msgspec

from switchgear.alerts.desk import AlertDesk
from switchgear.clock import Clock
from switchgear.config.effective import Setting
from switchgear.config.model import Config
from switchgear.events import ConfigChanged
from switchgear.governor.gate import Gate
from switchgear.insight.snapshot import MetricsCollector
from switchgear.insight.sources import CostLedger
from switchgear.runner import Runner
from switchgear.web.applications import ApplicationDesk
from switchgear.web.auth.sign_in import SignIn
from switchgear.web.commands import Commands

__all__ = ["ProcessFacts", "WebDeps"]


class ProcessFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The process that answers: one of *workers* that share a port. *live*: its numbers are those of the gate."""

    pid: int = 0
    workers: int = 1
    live: bool = True


class WebDeps(msgspec.Struct, kw_only=True):
    """Everything that the API and the pages read, and what they command.

    Attributes:
        collector: metrics, health, and the live numbers.
        reader: rows, events and sums of the ledger.
        config: the configuration in force; whoever composes the server replaces it by a newer one.
        clock: the time that pages show.
        version: ours.
        started_at: when the process started, in epoch microseconds.
        gate: who is asked what would become of a call; None: this process has none.
        settings: returns every value in force and where it is from.
        reload: has the configuration read again, and returns what has changed; None: this process
            can't.
        ending: returns whether the process is about to end, so that streams end too.
        process: what there is to say of the process that answers.
        commands: what people may change; None: this dashboard only reads.
        alerts: who looks after alerts; None: this process does not.
        runner: who runs pipelines; None: nobody does here.
        applications: who keeps application records; None: nobody does.
        sign_in: who asks those for a password that come here; None: nobody does.
    """

    collector: MetricsCollector
    reader: CostLedger
    config: Config
    clock: Clock
    version: str
    started_at: int
    gate: Gate | None = None
    settings: Callable[[], tuple[Setting, ...]] = tuple
    reload: Callable[[str], ConfigChanged | None] | None = None
    ending: Callable[[], bool] = bool
    process: ProcessFacts = ProcessFacts()
    commands: Commands | None = None
    alerts: AlertDesk | None = None
    runner: Runner | None = None
    applications: ApplicationDesk | None = None
    sign_in: SignIn | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which days are cut and times are shown."""
        return ZoneInfo(self.config.server.reporting_timezone)

    def now(self) -> int:
        """Return the epoch microsecond."""
        return self.clock.moment().wall
