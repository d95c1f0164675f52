"""Names of runs: a date, what it is for, and enough chance to be unique; and what people may name one."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from typing import Final

from switchgear.runner.faults import RunnerError

__all__ = ["checked_run", "new_run"]

_ALPHABET: Final = "abcdefghjkmnpqrstvwxyz23456789"
_CHANCE: Final = 8
_SLUG: Final = 24
_RUN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,99}")


def new_run(what: str, at_us: int) -> str:
    """Return a new name such as ``2026-11-24-acme-42-k3v9x2mp``, for a run of *what* submitted at *at_us*."""
    day = dt.datetime.fromtimestamp(at_us / 1e6, tz=dt.UTC).date().isoformat()
    slug = re.sub(r"[^a-z0-9]+", "-", what.lower()).strip("-")[:_SLUG].strip("-") or "run"
    return f"{day}-{slug}-{''.join(secrets.choice(_ALPHABET) for _ in range(_CHANCE))}"


def checked_run(run: str) -> str:
    """Return *run*.

    Raises:
        RunnerError: it is no name for a run.
    """
    if not _RUN.fullmatch(run):
        msg = f"a run's name has 1 to 100 letters, digits and ._:@- and begins with a letter or digit, not {run!r}"
        raise RunnerError(msg)
    return run
