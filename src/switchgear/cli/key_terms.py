"""The options that say what a key is good for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from switchgear.cli.names import refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.config.model import Config
    from switchgear.ledger.key_rows import KeyTerms

__all__ = ["expiry_of", "terms_of", "terms_options"]

_NUMBER: Final = click.IntRange(min=1)

_OPTIONS: Final = (
    click.option("--job", metavar="NAME", help="The job of calls that name none."),
    click.option("--run", metavar="NAME", help="The run of calls that name none."),
    click.option("--layer", metavar="NAME", help="The layer of calls that name none."),
    click.option("--tag", "tags", metavar="NAME=VALUE", multiple=True, help="A tag of every call; may be repeated."),
    click.option("--fixed", is_flag=True, help="Calls can't say another job, run, layer or tags."),
    click.option(
        "--service", "services", metavar="NAME", multiple=True, help="A service that it may use; default: all."
    ),
    click.option("--model", "models", metavar="NAME", multiple=True, help="A model that it may ask for; default: all."),
    click.option("--expires", metavar="30d|DATE", help="How long it holds, or its last day; default: for ever."),
    click.option("--requests-per-minute", type=_NUMBER, metavar="N", help="Requests with it in any 60 seconds."),
    click.option("--tokens-per-minute", type=_NUMBER, metavar="N", help="Tokens with it in any 60 seconds."),
    click.option("--requests-per-day", type=_NUMBER, metavar="N", help="Requests with it in any 24 hours."),
    click.option("--tokens-per-day", type=_NUMBER, metavar="N", help="Tokens with it in any 24 hours."),
    click.option("--concurrent", type=_NUMBER, metavar="N", help="Calls with it at a time."),
    click.option("--limit-usd", metavar="USD", help="Its budget, e.g. 12.50."),
    click.option("--limit-tokens", type=_NUMBER, metavar="N", help="Its budget in tokens."),
    click.option(
        "--period",
        default="total",
        show_default=True,
        metavar="P",
        help="Of the budget: total, hour, day, week, month, or e.g. 24h.",
    ),
)


def terms_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command all options that say what a key is good for."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def terms_of(config: Config, *, tags: tuple[str, ...], services: tuple[str, ...], **given: Any) -> KeyTerms:  # noqa: ANN401 - click's values
    """Return what the options say.

    Raises:
        click.UsageError: something is wrong in one of them.
        click.ClickException: there is no such service.
    """
    from switchgear.calls import Attribution
    from switchgear.config.model import BudgetConfig
    from switchgear.governor.attribution import cleaned
    from switchgear.ledger.key_rows import KeyTerms

    for service in services:
        if service not in config.services:
            refuse_unknown("service", service, config.services)
    pairs = tuple(_pair(tag) for tag in tags)
    said = Attribution(job=given.pop("job"), run=given.pop("run"), layer=given.pop("layer"), tags=pairs)
    if cleaned(said) != said:
        msg = (
            "job, run, layer and tags are at most 256 printable characters, a tag's name 64; there are at most 32 tags"
        )
        raise click.UsageError(msg)
    usd, tokens, period = given.pop("limit_usd"), given.pop("limit_tokens"), given.pop("period")
    budget = None
    if usd is not None or tokens is not None:
        if usd is not None and tokens is not None:
            msg = "--limit-tokens: --limit-usd is given too; keep one of the two"
            raise click.UsageError(msg)
        budget = _checked(BudgetConfig, limit_usd=usd, limit_tokens=tokens, period=period)
    elif period != "total":
        msg = "--period: of a budget; give --limit-usd or --limit-tokens too"
        raise click.UsageError(msg)
    return KeyTerms(
        job=said.job,
        run=said.run,
        layer=said.layer,
        tags=dict(pairs),
        services=services,
        limit_usd=None if budget is None else budget.limit_usd,
        limit_tokens=None if budget is None else budget.limit_tokens,
        period="total" if budget is None else budget.period,
        **given,
    )


def expiry_of(text: str, config: Config, now: int) -> int:
    """Return when a key that holds for a duration, or to the end of a day, ends.

    Raises:
        click.UsageError: neither, or it is over.
    """
    from zoneinfo import ZoneInfo

    from switchgear.durations import parse_duration
    from switchgear.insight.questions import BadQuestion, read_span

    try:
        return now + parse_duration(text)
    except ValueError:
        pass
    try:
        end = read_span(None, text, ZoneInfo(config.server.reporting_timezone)).until
    except BadQuestion:
        end = None
    if end is None or end <= now:
        msg = f"--expires: a duration such as 30d, or a day to come such as 2027-01-31, not {text!r}"
        raise click.UsageError(msg)
    return end


def _pair(tag: str) -> tuple[str, str]:
    name, mark, value = tag.partition("=")
    if not mark or not name.strip() or "," in value:
        msg = f"--tag: NAME=VALUE, without a comma, not {tag!r}"
        raise click.UsageError(msg)
    return name.strip(), value.strip()


def _checked(kind: Any, **given: Any) -> Any:  # noqa: ANN401 - pydantic's models
    from pydantic import ValidationError

    try:
        made = kind(name="key", **given)
    except ValidationError as error:
        first = error.errors()[0]
        msg = f"--{str(first['loc'][0]).replace('_', '-')}: {first['msg'].removeprefix('Value error, ')}"
        raise click.UsageError(msg) from None
    if made.limit_usd == 0:
        msg = "--limit-usd: must be greater than 0"
        raise click.UsageError(msg)
    return made
