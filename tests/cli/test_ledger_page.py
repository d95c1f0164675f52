"""docs/ledger.md says what the commands do."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from switchgear.cli import backtest, db, ledger, reconcile
from switchgear.insight.backtest_trace import COLUMNS as TRACE_COLUMNS
from switchgear.insight.reconcile_formats import PROVIDERS, formats
from switchgear.ledger.columns import COLUMNS
from switchgear.ledger.export import FORMATS

pytestmark = pytest.mark.docs

PAGE = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")


def commands() -> dict[str, click.Command]:
    """Return every command that the page is about, by its words."""
    groups = {"ledger": ledger.command, "db": db.command}
    found = {f"{noun} {verb}": one for noun, group in groups.items() for verb, one in group.commands.items()}
    return {**found, "costs reconcile": reconcile.command, "backtest": backtest.command}


@pytest.mark.parametrize("words", commands())
def test_each_command_is_on_the_page(words: str) -> None:
    """Every command has its line in the table, and each of its own options is named."""
    assert f"| `switchgear {words}` |" in PAGE
    own = {"--config", "--no-color", "--help", "--json", "--from", "--to"}
    options = {name for one in commands()[words].params if isinstance(one, click.Option) for name in one.opts}
    missing = [name for name in options - own if name not in PAGE]
    assert missing == []


def test_each_column_is_on_the_page() -> None:
    """Columns and formats of exports, traces and providers' files are those of the code."""
    assert [one.name for one in COLUMNS if f"`{one.name}`" not in PAGE] == []
    assert [name for name in TRACE_COLUMNS if f"`{name}`" not in PAGE] == []
    assert f"--format {'|'.join(FORMATS)}" in PAGE
    assert f"--provider {'|'.join(PROVIDERS)}" in PAGE
    page = PAGE.replace("\\|", "|")
    for provider in PROVIDERS:
        for part in {part for columns in formats(provider).values() for part in columns}:
            assert any(f"`{name}" in page or f"|{name}" in page for name in part.split("|")), part
