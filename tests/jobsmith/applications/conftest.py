from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from jobsmith.applications import Applications
from switchgear.config import load_text
from switchgear.testing import ManualClock

NOON = dt.datetime(2026, 11, 24, 13, 0, tzinfo=dt.UTC)
"""14:00 in Vienna, on a Tuesday."""


class Desk(NamedTuple):
    """Records of one's own, and the clock that they go by."""

    applications: Applications
    clock: ManualClock

    def at(self, moment: dt.datetime) -> None:
        """Make it *moment*."""
        self.clock.advance(moment.timestamp() - self.clock.now())


MakeDesk = Callable[..., Desk]


@pytest.fixture
def make_desk(tmp_path: Path) -> Iterator[MakeDesk]:
    """Return a function that opens records for a text of ``[applications]``; they are in this test's folder."""
    made: list[Applications] = []

    def make(
        text: str = "", *, zone: str = "Europe/Vienna", now: dt.datetime = NOON, environ: dict[str, str] | None = None
    ) -> Desk:
        config = load_text(
            f'[server]\nreporting_timezone = "{zone}"\n[ledger]\nurl = "sqlite:///{tmp_path}/ledger.db"\n{text}'
        )
        clock = ManualClock(now.timestamp())
        made.append(Applications.from_config(config, clock=clock, environ=environ or {}))
        return Desk(made[-1], clock)

    yield make
    for each in made:
        each.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest, make_desk: MakeDesk) -> Desk:
    """Records in Vienna, in a file and on a real PostgreSQL server."""
    if request.param == "sqlite":
        return make_desk()
    url = request.getfixturevalue("make_postgres")()
    return make_desk(f'[applications]\nurl = "{url}"\n')
