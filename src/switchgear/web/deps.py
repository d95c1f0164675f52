"""What the web app is given."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

import msgspec

from switchgear.clock import Clock
from switchgear.config.model import Config
from switchgear.governor.gate import Gate
from switchgear.insight.snapshot import MetricsCollector
from switchgear.insight.sources import CostLedger
from switchgear.web.auth.sign_in import SignIn
from switchgear.web.commands import Commands

__all__ = ["WebDeps"]


class WebDeps(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the API and the pages read.

    Attributes:
        collector: metrics, health, and the live numbers.
        reader: rows, events and sums of the ledger.
        config: the configuration in force.
        clock: the time that pages show.
        version: ours.
        started_at: when the process started, in epoch microseconds.
        gate: who is asked what would become of a call; None: this process has none.
        commands: what people may change; None: this dashboard only reads.
        sign_in: who asks those for a password that come here; None: nobody does.
        stopping: whether the server is about to end, so that streams end too.
    """

    collector: MetricsCollector
    reader: CostLedger
    config: Config
    clock: Clock
    version: str
    started_at: int
    gate: Gate | None = None
    commands: Commands | None = None
    sign_in: SignIn | None = None
    stopping: Callable[[], bool] = lambda: False

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which days are cut and times are shown."""
        return ZoneInfo(self.config.server.reporting_timezone)

    def now(self) -> int:
        """Return the epoch microsecond."""
        return self.clock.moment().wall
