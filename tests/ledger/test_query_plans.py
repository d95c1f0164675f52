from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from switchgear.ledger.engine import open_engine
from switchgear.ledger.migrate import check
from switchgear.ledger.reader import LedgerReader
from switchgear.ledger.views import CallFilter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ASKED: dict[str, Callable[[LedgerReader], object]] = {
    "calls": lambda reader: reader.calls(),
    "calls of a service": lambda reader: reader.calls(CallFilter(service="openai")),
    "calls of a job": lambda reader: reader.calls(CallFilter(job="nightly")),
    "calls that failed": lambda reader: reader.calls(CallFilter(status="failed")),
    "one call": lambda reader: reader.call("call-1"),
    "totals": lambda reader: reader.totals(by=("service",)),
    "totals of jobs": lambda reader: reader.job_totals(),
    "calls on the wire": lambda reader: reader.open_calls(),
}


@pytest.mark.parametrize("asked", ASKED)
def test_no_question_reads_all_attempts(tmp_path: Path, asked: str) -> None:
    """SQLite's plan of each query has an index of the attempts in it, or leaves them alone."""
    engine = open_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    check(engine, create=True)
    sent: list[tuple[str, tuple[object, ...]]] = []

    def note(*said: object) -> None:
        _, _, statement, parameters, *_ = said
        assert isinstance(parameters, tuple)
        sent.append((str(statement), parameters))

    event.listen(engine, "before_cursor_execute", note)
    ASKED[asked](LedgerReader(engine))
    event.remove(engine, "before_cursor_execute", note)

    queries = [(statement, parameters) for statement, parameters in sent if statement.startswith(("SELECT", "WITH"))]
    with engine.connect() as connection:
        plans = [
            [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            for statement, parameters in queries
        ]
    engine.dispose()

    assert queries
    steps = [step for plan in plans for step in plan]
    assert not [step for step in steps if step.startswith("SCAN attempts") and "INDEX" not in step]
    assert not [step for step in steps if asked.startswith("calls") and "TEMP B-TREE" in step]
