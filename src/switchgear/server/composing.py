"""From a configuration to what a server serves: the gate with its pages, the gate alone, or pages on a ledger."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

from switchgear.alerts.desk import AlertDesk
from switchgear.clients.governor import Governor
from switchgear.config.effective import effective
from switchgear.gateway.bounds import bounds_of
from switchgear.gateway.front import Front
from switchgear.gateway.protocol import protocol_for
from switchgear.gateway.proxy import Proxy
from switchgear.gateway.serving import Counter
from switchgear.governor.opening import housekeeping
from switchgear.governor.reload import Reloader
from switchgear.insight.metrics import HealthReason
from switchgear.insight.snapshot import MetricsCollector
from switchgear.server.applications import plug_applications
from switchgear.server.dashboard import watch
from switchgear.server.halves import no_gateway, probes_alone
from switchgear.server.jobs import install_jobs
from switchgear.server.parts import Parts
from switchgear.server.pipelines import runner_of, started
from switchgear.server.telemetry import Telemetry
from switchgear.version import __version__
from switchgear.web.app import create_app
from switchgear.web.auth.opening import open_sign_in
from switchgear.web.deps import ProcessFacts, WebDeps

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.clock import Clock
    from switchgear.config.model import Config
    from switchgear.events import ConfigChanged
    from switchgear.gateway.hosts import Hosts
    from switchgear.server.applications import PluggedApplications
    from switchgear.server.parts import DataPath, Origin, Side

__all__ = ["compose"]


def compose(
    config: Config,
    *,
    clock: Clock,
    origin: Origin | None,
    only: Side | None,
    data_path: DataPath,
    ending: Callable[[], bool],
    hosts: Hosts,
    admin_hosts: Hosts | None = None,
) -> Parts:
    """Open what *config* names and wire it; see *Server* for the arguments.

    It answers to *hosts*, and dashboard and API to *admin_hosts*, if they have an address of their own.

    Raises:
        LedgerError, StateError, ConfigError: something can't be opened, and nothing is left open.
    """
    if only == "dashboard":
        return watch(config, clock=clock, origin=origin, ending=ending, hosts=hosts)
    with ExitStack() as undo:
        governor = Governor(config, clock=clock)
        undo.callback(governor.close)
        proxy = Proxy(governor)
        counter = Counter(governor, hosts=hosts) if data_path == "hot" else None
        keeping = housekeeping(governor)
        undo.callback(keeping.close)
        telemetry = Telemetry(governor)
        undo.callback(telemetry.close)
        applications = plug_applications(config, clock)
        undo.callback(applications.close)
        deps = _deps(governor, origin, ending, counter, telemetry, applications)
        deps.runner = runner_of(config.runner, governor)
        end_runs = started(deps.runner, deps.alerts)
        undo.callback(end_runs)
        if deps.alerts is not None:
            deps.alerts.start()
            undo.callback(deps.alerts.close)
        control = cast("Any", create_app(deps, pages=only is None))
        install_jobs(control, governor)
        undo.pop_all()

    async def aclose() -> None:
        await proxy.aclose()
        if counter is not None:
            await counter.aclose()
        await governor.state.aclose()

    async def tick() -> None:
        await governor.atick()
        keeping.tick()
        if deps.alerts is not None:
            deps.alerts.tick()

    def close() -> None:
        end_runs()
        if deps.alerts is not None:
            deps.alerts.close()
        keeping.close()
        applications.close()
        telemetry.close()
        governor.close()

    bounds = bounds_of(config.server)
    admin = None
    if admin_hosts is not None:
        parts = {"proxy": no_gateway, "control": control, "start": _nothing, "stop": _nothing}
        admin = Front(**parts, hosts=admin_hosts, bounds=bounds)

    return Parts(
        governor=governor,
        admin=admin,
        front=lambda start, stop: Front(
            proxy=proxy,
            control=control if admin is None else probes_alone(control),
            start=start,
            stop=stop,
            hosts=hosts,
            bounds=bounds,
        ),
        config=lambda: governor.config,
        reload=deps.reload,
        tick=tick,
        http="httptools" if counter is None else protocol_for(counter),
        aclose=aclose,
        close=close,
    )


async def _nothing() -> None:
    """The other half begins and ends both."""


def _deps(
    governor: Governor,
    origin: Origin | None,
    ending: Callable[[], bool],
    counter: Counter | None,
    telemetry: Telemetry,
    applications: PluggedApplications,
) -> WebDeps:
    ledger = governor.ledger
    collector = MetricsCollector(
        ledger.reader,
        governor.state,
        governor.clock,
        config=governor.config,
        ledger_problem=lambda: ledger.problem,
        ledger_warning=lambda: ledger.warning,
        denials=lambda: dict(governor.callers.denials),
        notes=lambda: (*_notes(reloader), *telemetry.notes()),
        exports=telemetry.counts,
    )
    deps = WebDeps(
        collector=collector,
        reader=ledger.reader,
        config=governor.config,
        clock=governor.clock,
        version=__version__,
        started_at=governor.clock.moment().wall,
        gate=governor,
        commands=governor,
        sign_in=open_sign_in(governor.config.server, governor.clock),
        ending=ending,
        process=ProcessFacts(pid=os.getpid(), workers=governor.config.server.workers),
        applications=applications,
    )

    if governor.config.alerts.enabled:
        deps.alerts = _alerts(governor, collector)

    def adopt(config: Config) -> None:
        collector.adopt(config)
        deps.config = config
        if deps.alerts is not None:
            deps.alerts.adopt(config)
        applications.adopt(config)
        if counter is not None:
            counter.adopt()
        telemetry.adopt(config)

    reloader = None
    if origin is not None:
        reloader = Reloader(governor, origin.current, read=origin.read, environ=os.environ, then=adopt)
        deps.reload = _reload(reloader, origin)
        deps.settings = lambda: effective(reloader.current)
    return deps


def _alerts(governor: Governor, collector: MetricsCollector) -> AlertDesk:
    server = governor.config.server
    host, port = server.admin or (server.host, server.port)
    desk = AlertDesk(
        governor.config,
        collector=collector,
        reader=governor.ledger.reader,
        record=governor.ledger.record,
        clock=governor.clock,
        environ=os.environ,
        link=f"http://{host}:{port}",
        lead=governor.ledger.lead("alerts"),
    )
    governor.bus.subscribe(desk.listen)
    return desk


def _reload(reloader: Reloader, origin: Origin) -> Callable[[str], ConfigChanged | None]:
    def reload(by: str) -> ConfigChanged | None:
        change = reloader.reload(by)
        if not by.startswith("SIGHUP"):
            origin.told()
        return change

    return reload


def _notes(reloader: Reloader | None) -> tuple[HealthReason, ...]:
    if reloader is None or reloader.problem is None:
        return ()
    text = f"The configuration on disk is not valid: {reloader.problem}. The one until now stays in force."
    return (HealthReason(status="degraded", text=text, subject="configuration"),)
