"""``switchgear drill --against URL``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from switchgear.cli.fetch import fetch
from switchgear.cli.output import say
from switchgear.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from switchgear.clock import Clock
    from switchgear.drills.catalogue import Scenario
    from switchgear.drills.verdict import Result

__all__ = ["drill_against", "only_live"]


def only_live(scenarios: Sequence[Scenario], *, named: bool) -> list[Scenario]:
    """Return those of *scenarios* that a running gateway can be drilled with.

    Raises:
        click.UsageError: one that was *named* can't.
    """
    from switchgear.drills.against.scenarios import LIVE

    for scenario in scenarios:
        if named and scenario.name not in LIVE:
            msg = f"{scenario.name} needs servers of its own; against a running gateway there are {', '.join(LIVE)}."
            raise click.UsageError(msg)
    return [scenario for scenario in scenarios if scenario.name in LIVE]


def drill_against(
    url: str, service: str, scenarios: Sequence[Scenario], *, clock: Clock, seconds: int
) -> Iterator[Result]:
    """Drill *service* of the gateway at *url* and yield what each of *scenarios* came to.

    Raises:
        ConfigError: it may not be drilled.
        UnreachableError: nobody answers there.
    """
    from switchgear.drills.against.guard import target_of
    from switchgear.drills.against.live import Live
    from switchgear.drills.against.scenarios import LIVE
    from switchgear.drills.running import result_of
    from switchgear.gateway.loopback import is_loopback

    if not is_loopback(urlsplit(url).hostname or ""):
        msg = f"--against: only a gateway on this machine may be drilled, not {url!r}"
        raise ConfigError(msg)
    target = target_of(fetch(url, "/api/config")["items"], service)
    key = os.environ.get("SWITCHGEAR_KEY")
    with Live(target, url=url, get=lambda path: fetch(url, path), clock=clock, seconds=seconds, key=key) as live:
        say(f"Drilling {service!r} at {url} for {seconds} s at most; its calls bear the job {live.job}.")
        for scenario in scenarios:
            yield result_of(scenario, LIVE[scenario.name](live), clock=clock)
