"""What every command has in common: help that leads with examples, and how colours are switched off."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Command", "Group", "LazyGroup"]


class _WithExamples(click.Command):
    """Shows its examples before anything else, and has the option that switches colours off."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*args, **kwargs)
        self._examples: Final = tuple(examples)
        self.params.append(
            click.Option(
                ["--no-color"],
                is_flag=True,
                expose_value=False,
                help="Print without colours; so does NO_COLOR.",
                callback=_switch_colours,
            )
        )

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_help_text(ctx, formatter)
        if self._examples:
            with formatter.section("Examples"):
                for example in self._examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{example}\n")
        formatter.write_paragraph()
        self.format_usage(ctx, formatter)
        self.format_options(ctx, formatter)


class Command(_WithExamples):
    """A command."""


class Group(_WithExamples, click.Group):
    """A noun with its verbs."""

    command_class = Command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that *args* begin with, or say which one was probably meant."""
        name, known = args[0], self.list_commands(ctx)
        if not name.startswith("-") and name not in known:
            from switchgear.config.problems import nearest  # with it comes all of pydantic

            near = nearest(name, known)
            hint = f"did you mean {near!r}?" if near else f"known are {', '.join(known)}."
            ctx.fail(f"there is no command {name!r}; {hint}")
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """A group whose commands are imported when they are run.

    Args:
        lazy: for each command its module, which has it as ``command``, and its one line of help.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*args, **kwargs)
        self._lazy: Final = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in self._lazy:
            return None
        command: click.Command = import_module(self._lazy[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._lazy.items()])


def _switch_colours(ctx: click.Context, _param: click.Parameter, off: bool) -> None:  # noqa: FBT001 - click's callback
    # None leaves it to click, which asks whether the output is a terminal.
    if off or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        ctx.color = False
