"""Workers of the runner killed with SIGKILL, in turn and beside each other, against the provider's count."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "runs_crash.py"


@pytest.fixture(scope="module")
def crash() -> ModuleType:
    """The benchmark, as a module."""
    spec = importlib.util.spec_from_file_location("runs_crash", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def must_be_none(found: dict[str, Any]) -> dict[str, int]:
    """Return those findings that must be 0 and are not."""
    return {name: value for name, value in found.items() if name.endswith("MUST_BE_0") and value}


def test_every_run_ends_and_no_finished_layer_is_made_again(crash: ModuleType) -> None:
    """After three kills of the only worker all runs are done, and what had finished was neither run nor paid again."""
    found = crash.measure(runs=6, kills=3, workers=1, seed=7, database=None)

    assert must_be_none(found) == {}
    assert found["ended"] == {"ok": 6}


@pytest.mark.timeout(180)
def test_other_machines_go_on_with_the_runs_of_one_that_died(
    crash: ModuleType, make_postgres: Callable[[], str]
) -> None:
    """Two workers over PostgreSQL are killed in turn; the other one takes the runs over, and none is run by both."""
    found = crash.measure(runs=6, kills=2, workers=2, seed=3, database=make_postgres())

    assert must_be_none(found) == {}
    assert found["ended"] == {"ok": 6}
