"""The table of contents of the command line."""

from __future__ import annotations

from typing import Final

import click

from switchgear.cli.base import LazyGroup
from switchgear.version import __version__

__all__ = ["COMMANDS", "root"]

COMMANDS: Final = {
    "serve": ("switchgear.cli.serve", "Run the gateway, the API and the dashboard."),
    "demo": ("switchgear.cli.demo", "See it work: a real model, real traffic, no keys."),
    "apply": ("switchgear.cli.apply", "Prepare a job application, every sentence from your CV."),
    "init": ("switchgear.cli.init", "Write a commented configuration."),
    "status": ("switchgear.cli.status", "Show how things are, on one screen."),
    "doctor": ("switchgear.cli.doctor", "Check the installation and the configuration."),
    "config": ("switchgear.cli.config", "Show and check the configuration, and have a running server read it again."),
    "services": ("switchgear.cli.services", "Show the services, their breakers and limits."),
    "limits": ("switchgear.cli.limits", "Show limits, and test what a call would meet."),
    "budgets": ("switchgear.cli.budgets", "Show what budgets hold and what is left."),
    "users": ("switchgear.cli.users", "Say who may sign in to the dashboard."),
    "usage": ("switchgear.cli.usage", "Show usage and cost over time and by group."),
    "costs": ("switchgear.cli.costs", "Report costs, and compare them with a provider's."),
    "calls": ("switchgear.cli.calls", "Look up calls in the ledger."),
    "keys": ("switchgear.cli.keys", "Say who may use the gateway, and for what."),
    "alerts": ("switchgear.cli.alerts", "Show what fires, silence it, test who is told."),
    "runs": ("switchgear.cli.runs", "Start runs of pipelines, and look after them."),
    "applications": ("switchgear.cli.applications", "Show applications, what came of them, and how many were sent."),
    "traces": ("switchgear.cli.traces", "Show the calls of one trace in time."),
    "prices": ("switchgear.cli.prices", "Show what models cost, and which have no price."),
    "ledger": ("switchgear.cli.ledger", "Check, export, back up and prune the ledger."),
    "backtest": ("switchgear.cli.backtest", "Replay recorded calls through other limits, breakers and budgets."),
    "drill": ("switchgear.cli.drill", "Prove it on this machine: faults on demand, and figures against thresholds."),
    "db": ("switchgear.cli.db", "Show and upgrade the schema of the ledger."),
    "local": ("switchgear.cli.local", "Manage the model that runs on this machine."),
    "version": ("switchgear.cli.version", "Print the version."),
}
"""Each command with its module and its one line of help."""


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    invoke_without_command=True,
    examples=(
        "switchgear demo                                    see every screen, without keys",
        "switchgear init && switchgear serve                write a configuration, then run it",
        "export OPENAI_BASE_URL=http://127.0.0.1:8400/openai/v1",
        "switchgear status                                  how are things, and why",
        "switchgear calls list --outcome refused-budget     what did a budget turn away",
    ),
)
@click.version_option(__version__, message="switchgear %(version)s")
@click.pass_context
def root(ctx: click.Context) -> None:
    """The control plane for what an LLM pipeline spends and depends on."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
