"""A governor and a runner over files of one test module: opening DBOS takes a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from switchgear.clients.governor import Governor
from switchgear.config import load_text
from switchgear.runner import Pipeline, Runner

SETTINGS = """
[services.tool]
kind = "http"
base_url = "http://127.0.0.1:9"
prices = { "*" = { request = "0.002" } }
limits = { requests_per_minute = 100000 }

[[budgets]]
name = "each-job"
each = "job"
match = { service = "tool" }
limit_usd = "0.01"
action = "skip"
"""

Opener = Callable[..., Runner]


@pytest.fixture(scope="module")
def governor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Governor]:
    """Give a governor with a service whose requests cost $0.002, and $0.01 for each job."""
    folder = tmp_path_factory.mktemp("runner")
    environ = {"SWITCHGEAR_LEDGER__URL": f"sqlite:///{folder}/ledger.db"}
    with Governor(load_text(SETTINGS, environ=environ)) as one:
        yield one


@pytest.fixture(scope="module")
def opened(governor: Governor, tmp_path_factory: pytest.TempPathFactory) -> Opener:
    """Return what opens a runner of its own database."""

    def open_runner(*pipelines: Pipeline[..., Any], folder: Path | None = None, drain: str = "2s") -> Runner:
        where = folder if folder is not None else tmp_path_factory.mktemp("runs")
        url = f"sqlite:///{where}/runs.db"
        return Runner(governor, url=url, pipelines=pipelines, heartbeat="50ms", dead_after="2s", drain=drain)

    return open_runner
