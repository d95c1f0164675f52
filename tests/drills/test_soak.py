from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    """The script in benchmarks/."""
    path = Path(__file__).parents[2] / "benchmarks" / "soak.py"
    spec = importlib.util.spec_from_file_location("soak", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def missed(
    soak: ModuleType, creeping: dict[str, float] | None = None, *, rows: int = 2000, reserved: int = 0
) -> list[str]:
    """Return what is beyond its threshold in twenty samples in which *creeping* values grow by so much each time."""
    samples = []
    for number in range(20):
        steady: dict[str, Any] = {
            "seconds": 3.0 * number,
            "memory_mb": 80.0,
            "files": 30,
            "ledger_mb": 27.0 + 0.05 * number,
            "calls": 100 * number,
            "p50_ms": 5.0,
            "p95_ms": 9.0,
        }
        for name, step in (creeping or {}).items():
            steady[name] += step * number
        samples.append(soak.Sample(**steady))
    checks = soak.verdict(samples, rows=rows, received=2000, reserved=reserved)
    return [check.what for check in checks if not check.passed]


def test_a_steady_server_passes(soak: ModuleType) -> None:
    """Nothing creeps, so nothing is found."""
    assert missed(soak) == []


@pytest.mark.parametrize(
    ("creeping", "found"),
    [
        ({"memory_mb": 1.0}, "memory, last quarter over the second"),
        ({"files": 1.0}, "open files, most in the last quarter over most in the second"),
        ({"p50_ms": 0.5}, "median latency, last quarter over the second"),
        ({"ledger_mb": 1.0}, "ledger, bytes a call"),
    ],
)
def test_what_creeps_is_found(soak: ModuleType, creeping: dict[str, float], found: str) -> None:
    """A leak of memory, of files, of time or of room on the disk misses its threshold, and only its own."""
    assert missed(soak, creeping) == [found]


def test_calls_that_are_missing_or_open_are_found(soak: ModuleType) -> None:
    """A row too few or too many, or one that was never settled."""
    for rows in (1999, 2001):
        assert len(missed(soak, rows=rows)) == 1
    assert missed(soak, reserved=1) == ["calls left open"]
