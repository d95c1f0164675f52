"""The tables of the runner: what people ask of runs, beside DBOS's own record of finished layers.

Instants are epoch microseconds, spans microseconds, money nano-USD.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, SmallInteger, String, Table, Text

__all__ = ["artefacts", "cache", "layers", "lines", "metadata", "runs", "schedules", "workers"]

metadata: Final = MetaData()

runs: Final = Table(
    "runner_runs",
    metadata,
    Column("run", String(128), primary_key=True),
    Column("pipeline", Text, nullable=False),
    Column("job", Text),
    Column("status", String(16), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("input", Text, nullable=False),
    Column("output", Text),
    Column("error", Text),
    Column("reason", Text),
    Column("budget", BigInteger),
    # What runs of this pipeline used to cost when this one was submitted; null: there was no past to say so.
    Column("estimate", BigInteger),
    Column("cost", BigInteger, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("submitted_at", BigInteger, nullable=False),
    # When it may go first; a paused run with one goes on by itself then.
    Column("due_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("deadline_at", BigInteger),
    Column("timeout", BigInteger),
    # What somebody asked of a run that is under way: pause or cancel.
    Column("wanted", String(16), nullable=False),
    Column("worker", String(64)),
    Column("executions", Integer, nullable=False),
    # DBOS's name of the execution; a retry is a fork of another one, from a step on.
    Column("workflow", String(160), nullable=False),
    Column("forked_from", String(160)),
    Column("fork_step", Integer),
    Column("retries", Integer, nullable=False),
    Index("runner_runs_submitted", "submitted_at", "run"),
    Index("runner_runs_status", "status", "due_at"),
)

layers: Final = Table(
    "runner_layers",
    metadata,
    Column("run", String(128), primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("layer", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("executions", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("cached", SmallInteger, nullable=False),
    Column("done", Float),
    Column("total", Float),
    Column("note", Text),
    Column("reason", Text),
    Column("budget", BigInteger),
    Column("cost", BigInteger, nullable=False),
    Column("calls", Integer, nullable=False),
)

lines: Final = Table(
    "runner_lines",
    metadata,
    Column("run", String(128), primary_key=True),
    # Counted within the run: a number is given only when the one before is there, so readers miss none.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("layer", Text),
    Column("text", Text, nullable=False),
)

artefacts: Final = Table(
    "runner_artefacts",
    metadata,
    Column("run", String(128), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("layer", Text),
    Column("at", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("media_type", Text, nullable=False),
)

cache: Final = Table(
    "runner_cache",
    metadata,
    Column("layer", String(128), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("output", Text, nullable=False),
    Column("run", String(128), nullable=False),
    Column("at", BigInteger, nullable=False),
)

workers: Final = Table(
    "runner_workers",
    metadata,
    Column("worker", String(64), primary_key=True),
    Column("host", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("max_concurrency", Integer, nullable=False),
    Column("pipelines", Text, nullable=False),
)

schedules: Final = Table(
    "runner_schedules",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("pipeline", Text, nullable=False),
    Column("cron", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("input", Text, nullable=False),
    Column("job", Text),
    Column("budget", BigInteger),
    Column("next_at", BigInteger, nullable=False),
)
