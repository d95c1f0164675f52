"""``switchgear doctor``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import click

from switchgear.cli.base import Command
from switchgear.cli.errors import CHECK_FAILED, OK
from switchgear.cli.output import json_option, paint, print_json, text_of
from switchgear.cli.settings import config_option, read
from switchgear.errors import ConfigError
from switchgear.insight.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from switchgear.cli.output import Tone
    from switchgear.insight.checks.finding import Level

__all__ = ["command"]

_TONES: Final[dict[Level, Tone]] = {"ok": "ok", "warn": "warn", "fail": "crit"}


@click.command(cls=Command, name="doctor", examples=("switchgear doctor", "switchgear doctor --strict --json"))
@click.option("--strict", is_flag=True, help="Exit with 3 for warnings too.")
@config_option
@json_option
def command(strict: bool, config_path: Path | None, as_json: bool) -> int:  # noqa: FBT001 - click passes them by name
    """Check the installation and the configuration. Exits with 3 if a check fails.

    Changes nothing, and does not disturb a running server.
    """
    findings: list[Finding] = []
    for finding in _findings(config_path):
        findings.append(finding)
        if not as_json:
            _print(finding)
    counts = {level: sum(finding.level == level for finding in findings) for level in ("fail", "warn", "ok")}
    if as_json:
        print_json({"checks": [finding._asdict() for finding in findings], **counts})
    else:
        warnings = f"{counts['warn']} warning{'' if counts['warn'] == 1 else 's'}"
        click.echo(f"{counts['fail']} failed, {warnings}, {counts['ok']} ok")
    return CHECK_FAILED if counts["fail"] or (strict and counts["warn"]) else OK


def _findings(config_path: Path | None) -> Iterator[Finding]:
    from switchgear.cli.checks.machine import check_extras, check_port
    from switchgear.cli.checks.telemetry import check_telemetry
    from switchgear.clock import SystemClock
    from switchgear.insight.checks.clock import check_clock
    from switchgear.insight.checks.keys import check_keys
    from switchgear.insight.checks.ledger import check_ledger
    from switchgear.insight.checks.prices import check_prices

    clock = SystemClock()
    try:
        config, path = read(config_path)
    except ConfigError as error:
        yield from (Finding("fail", "config", line) for line in str(error).splitlines())
    else:
        numbers = f"services: {len(config.services)}, budgets: {len(config.budgets)}"
        yield Finding("ok", "config", f"{path or 'built in (no file was found)'}, {numbers}")
        yield from check_keys(config, os.environ)
        yield from check_ledger(config, clock)
        yield from check_port(config)
        yield from check_telemetry(config, os.environ)
    yield from check_prices(clock)
    yield from check_clock(clock)
    yield from check_extras()


def _print(finding: Finding) -> None:
    level = paint(f"{finding.level:<4}", _TONES[finding.level])
    click.echo(f"{level}  {text_of(finding.subject):<10}  {text_of(finding.text)}")
    if finding.remedy is not None:
        click.echo(f"{'':<18}-> {text_of(finding.remedy)}")
