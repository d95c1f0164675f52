"""A governor for one test: it forgets, it never waits, and nothing of it is on disk."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from switchgear.clients.governor import Governor
from switchgear.config import load, load_text
from switchgear.testing.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.clock import Clock

__all__ = ["governor"]

_IN_MEMORY: Final = {"SWITCHGEAR_LEDGER__URL": "sqlite://", "SWITCHGEAR_STATE__URL": "memory://"}
_START: Final = 1_800_000_000.0


@contextlib.contextmanager
def governor(settings: str | Path = "", *, clock: Clock | None = None) -> Iterator[Governor]:
    """Yield a governor whose ledger and state are in memory, on a clock that stands still.

    Args:
        settings: TOML text, or the path of your configuration; its ledger and state are not
            touched. The built-in services are there without a word.
        clock: time; default: a *ManualClock*, on which every wait takes no time at all.

    Raises:
        ConfigError: something is wrong in *settings*.
    """
    if isinstance(settings, Path):
        config = load(settings, environ=_IN_MEMORY)
    else:
        config = load_text(settings, environ=_IN_MEMORY)
    with Governor(config, clock=clock if clock is not None else ManualClock(_START)) as one:
        yield one
