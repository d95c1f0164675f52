"""``switchgear apply``."""

from __future__ import annotations

import asyncio
import re
from contextlib import ExitStack
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import click

from switchgear.cli.apply_shown import Progress, print_estimate, print_finished
from switchgear.cli.base import Command
from switchgear.cli.errors import CHECK_FAILED, OK, REFUSED
from switchgear.cli.output import json_option, say
from switchgear.cli.settings import config_option, read
from switchgear.errors import ConfigError
from switchgear.money import to_nano, to_usd

if TYPE_CHECKING:
    from jobsmith.cv import MasterCv
    from jobsmith.inputs.posting import Posting
    from jobsmith.nouns import Order
    from switchgear.cli.settings import Settings
    from switchgear.clients.governor import Governor

__all__ = ["command", "require_jobs"]

_LOCAL: Final = "local"
_PACKAGES: Final = ("typst", "dbos")
_FILE: Final = click.Path(path_type=Path)
_PROFILES: Final = ("fast", "balanced", "quality", "by_fit")
ProfileName = Literal["fast", "balanced", "quality", "by_fit"]


class _Choice(NamedTuple):
    """Who writes, and with which profile."""

    service: str
    model: str
    profile: ProfileName


@click.command(
    cls=Command,
    name="apply",
    examples=(
        "switchgear apply posting.md --cv cv.md               with the model on this machine",
        "switchgear apply https://example.com/job --cv resume.json --model openai:gpt-5-mini",
        "switchgear apply posting.md --cv cv.md --profile quality --estimate",
        "pbpaste | switchgear apply - --cv cv.md --page letter --out acme",
    ),
)
@click.argument("posting")
@click.option("--cv", "cv_path", required=True, type=_FILE, metavar="FILE", help="Master CV: Markdown or JSON Resume.")
@click.option("--profile", type=click.Choice(_PROFILES), help="How much is spent; default: jobs.profile.")
@click.option("--model", metavar="MODEL", help="local, SERVICE:MODEL, or a model of jobs.service.")
@click.option("--page", type=click.Choice(["a4", "letter"]), help="Paper; default: jobs.page.")
@click.option("--budget", metavar="USD", help="What it may cost; default: jobs.budget_usd, or as the profile has it.")
@click.option("--out", "folder", type=_FILE, metavar="DIR", help="Where files go; default: applications/NAME.")
@click.option("--estimate", "only_estimate", is_flag=True, help="Say what it would cost at most, and end.")
@config_option
@json_option
def command(  # noqa: PLR0913, PLR0917 - one for each option, by name
    posting: str,
    cv_path: Path,
    profile: ProfileName | None,
    model: str | None,
    page: Literal["a4", "letter"] | None,
    budget: str | None,
    folder: Path | None,
    only_estimate: bool,  # noqa: FBT001 - click passes them by name
    config_path: Path | None,
    as_json: bool,  # noqa: FBT001 - as above
) -> int:
    """Prepare a job application, every sentence from your CV: tailored CV, letter and dossier as PDF.

    POSTING is a file, a URL, - for standard input, or the text itself. What was interrupted goes on where it was
    when the same command is given again; finished layers are not paid twice. Exits with 3 if it failed, and with 5
    if the gate has paused it.
    """
    require_jobs()
    from jobsmith.errors import InputError
    from jobsmith.inputs.cv import cv_from_file
    from jobsmith.opening import posting_here

    limit = _budget(budget, only_estimate=only_estimate)
    try:
        settings = read(config_path)
        cv, here = cv_from_file(cv_path), posting_here(posting)
        choice = _choice(settings, model, profile)
        target = folder or Path("applications") / _slug(posting)
        with ExitStack() as stack:
            governor = _opened(stack, settings, choice, target)
            order = _order(governor, posting if here is None else here, cv, choice, page or settings.config.jobs.page)
            return _run(governor, order, target, limit, only_estimate=only_estimate, as_json=as_json)
    except InputError as error:
        raise click.ClickException(str(error)) from None


def require_jobs() -> None:
    """Raise ConfigError unless what applications need is installed."""
    if any(find_spec(package) is None for package in _PACKAGES):
        msg = 'job applications are not installed: pip install "switchgear[jobs]"'
        raise ConfigError(msg)


def _budget(said: str | None, *, only_estimate: bool) -> Decimal | None:
    if said is None:
        return None
    if only_estimate:
        msg = "--estimate spends nothing, so a --budget makes no sense with it"
        raise click.UsageError(msg)
    try:
        nano = to_nano(said)
    except (ValueError, TypeError):
        nano = 0
    if nano <= 0:
        msg = f"--budget is an amount of USD above 0, such as 0.25, not {said!r}"
        raise click.UsageError(msg)
    return to_usd(nano)


def _choice(settings: Settings, model: str | None, profile: ProfileName | None) -> _Choice:
    jobs = settings.config.jobs
    service, colon, name = (model or "").partition(":")
    if model == _LOCAL or (model is None and jobs.service is None):
        from switchgear.local import MODEL

        # That model is small and slow, and reads no more than the fast profile shows it.
        return _Choice(_LOCAL, MODEL, profile or "fast")
    chosen = profile or jobs.profile
    if colon and service in settings.config.services:
        return _Choice(service, name, chosen)
    if jobs.service is None:
        msg = f"--model {model}: which service has it? Say SERVICE:MODEL, or set jobs.service"
        raise ConfigError(msg)
    return _Choice(jobs.service, model or jobs.models.get(chosen) or jobs.model or "", chosen)


def _opened(stack: ExitStack, settings: Settings, choice: _Choice, folder: Path) -> Governor:
    """Return a governor that has every service needed, with the model on this machine started if it is to write."""
    from jobsmith.opening import with_services
    from switchgear.clients.governor import Governor

    url = None
    if choice.service == _LOCAL:
        from switchgear.local import LocalModel

        say(f"starting {choice.model}")
        url = stack.enter_context(LocalModel()).url
    config = with_services(settings.config, local_url=url, local_model=choice.model)
    if settings.path is None:
        folder.mkdir(parents=True, exist_ok=True)
        ledger = config.ledger.model_copy(update={"url": f"sqlite:///{folder / 'switchgear.db'}"})
        config = config.model_copy(update={"ledger": ledger})
    return stack.enter_context(Governor(config))


def _order(
    governor: Governor, given: str | Posting, cv: MasterCv, choice: _Choice, page: Literal["a4", "letter"]
) -> Order:
    from jobsmith.nouns import Order
    from jobsmith.opening import letter_date, posting_at

    return Order(
        posting=asyncio.run(posting_at(governor, given)) if isinstance(given, str) else given,
        cv=cv,
        service=choice.service,
        model=choice.model,
        profile=choice.profile,
        paper=page,
        date=letter_date(governor),
    )


def _run(
    governor: Governor, order: Order, folder: Path, budget: Decimal | None, *, only_estimate: bool, as_json: bool
) -> int:
    from jobsmith.estimate import estimate
    from jobsmith.profiles import PROFILES, profile_for
    from jobsmith.recording import Recording
    from jobsmith.session import apply

    expected = estimate(governor, order)
    if only_estimate:
        print_estimate(expected, order, as_json=as_json)
        return OK
    jobs = governor.config.jobs
    profile = PROFILES["quality"] if order.profile == "by_fit" else profile_for(order.profile)
    limit = budget or (to_usd(jobs.budget_usd) if jobs.budget_usd else Decimal(profile.budget_usd))
    with Progress(expected, limit=str(limit)) as progress:
        done = apply(
            governor,
            order,
            folder=folder,
            job=f"apply-{order.posting.digest}",
            budget_usd=limit,
            on_refused=jobs.on_refused,
            records=Recording(governor, folder=folder.resolve()),
            watch=progress.show,
        )
    print_finished(done, expected, as_json=as_json)
    if done.view.status == "paused":
        return REFUSED
    return OK if done.prepared is not None else CHECK_FAILED


def _slug(given: str) -> str:
    """Return a folder's name for a posting: that of its file, or of the last part of its URL."""
    last = given.rstrip("/").rpartition("/")[2].rpartition(".")[0] or given.rstrip("/").rpartition("/")[2]
    return re.sub(r"[^a-z0-9]+", "-", last.lower())[:60].strip("-") or "application"
